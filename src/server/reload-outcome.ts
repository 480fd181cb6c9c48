/** What a new configuration has changed. */
export interface ReloadOutcome {
  /** Listeners, `address:port`. */
  added: string[];
  removed: string[];
  /** Sessions that the new rules deny. */
  ended: number;
}
