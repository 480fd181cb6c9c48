/** As many as MIT looks back. */
const WIDTH = 64n;
const SEQUENCE_BITS = 64;

/**
 * Which of the sequence numbers up to the newest have been seen, in the manner of RFC 4303 §3.4.3. Numbers go round at
 * 2^64: the nearer way tells whether one is newer or older.
 */
export class ReplayWindow {
  #newest = 0n;
  /** Bit n stands for newest - n. */
  #seen = 0n;

  /** Takes a number as seen, unless it was, or is too old to tell. */
  admit(sequence: bigint): "new" | "duplicate" | "old" {
    const ahead = this.#seen === 0n ? 1n : BigInt.asIntN(SEQUENCE_BITS, sequence - this.#newest);
    if (ahead > 0n) {
      this.#seen = ahead < WIDTH ? BigInt.asUintN(Number(WIDTH), (this.#seen << ahead) | 1n) : 1n;
      this.#newest = sequence;
      return "new";
    }
    if (-ahead >= WIDTH) return "old";
    const bit = 1n << -ahead;
    if ((this.#seen & bit) !== 0n) return "duplicate";
    this.#seen |= bit;
    return "new";
  }
}
