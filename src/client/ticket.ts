/**
 * The user's ticket, as it is at each moment: every connection asks the library anew, so that a ticket that was obtained
 * late, renewed, destroyed or replaced by another user's is seen by the next one (docs/decisions).
 */
import { GssError, UsageError } from "../errors.js";
import { type CcacheInfo, inspectCcache } from "../gss/ccache.js";
import { Credential } from "../gss/credential.js";
import type { UpstreamObserver } from "../observability/events.js";

/** Which ticket; all absent: the library's default one, which for a collection of ccaches may depend on the proxy (k5identity). */
export interface TicketOptions {
  /** As `FILE:/tmp/krb5cc_1000`, of any type. */
  ccache?: string | undefined;
  /** As `alice@EXAMPLE.TEST`: the ccache of the collection that is this user's. */
  principal?: string | undefined;
  /** A keytab to get tickets with, as they are needed. */
  clientKeytab?: string | undefined;
}

export interface TicketStatus {
  readonly principal: string | null;
  /** With its type. */
  readonly ccache: string | null;
  /** Seconds until it ends; 0 where it has ended. */
  readonly secondsLeft: number | null;
  /** ISO 8601; null where it can't be renewed. */
  readonly renewableUntil: string | null;
  /** Why there is none that can be used. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export class Ticket {
  readonly #options: TicketOptions;
  readonly #observer: UpstreamObserver;
  /** Whose was used last; undefined before the first. */
  #principal: string | undefined;
  /** Code of the failure that was told last; null where the ticket could be used since. */
  #failure: string | null = null;
  #looking: Promise<TicketStatus> | null = null;

  constructor(options: TicketOptions = {}, observer: UpstreamObserver = () => {}) {
    this.#options = options;
    this.#observer = observer;
  }

  /**
   * For one connection; the caller closes it.
   * @returns undefined for the library's default, which it looks for when a context is established
   * @throws GssError (NO_TICKET …)
   */
  async acquire(): Promise<Credential | undefined> {
    const { ccache, principal, clientKeytab } = this.#options;
    if (ccache === undefined && principal === undefined && clientKeytab === undefined) return undefined;
    return Credential.initiator({ ccache, principal, clientKeytab });
  }

  /** A context was established with it. */
  used(principal: string): void {
    if (this.#failure === null && principal === this.#principal) return;
    const before = this.#principal ?? null;
    this.#principal = principal;
    this.#failure = null;
    this.#observer({ type: "ticket", principal, before, code: null, reason: null });
  }

  /** It could not be used; told once until it can. */
  failed({ code, message }: GssError): void {
    if (code === this.#failure) return;
    this.#failure = code;
    this.#observer({
      type: "ticket",
      principal: null,
      before: this.#principal ?? null,
      code,
      reason: message,
    });
  }

  /**
   * Looks at the ccache; with a client keytab the library first gets a ticket where it has to, which may take its time:
   * whoever asks meanwhile is told the same. Never rejects.
   */
  status(): Promise<TicketStatus> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<TicketStatus> {
    try {
      (await this.acquire())?.close();
      return statusOf(await inspectCcache(this.#options));
    } catch (error) {
      if (!(error instanceof GssError || error instanceof UsageError)) throw error;
      return { ...NOTHING, error: { code: error.code, message: error.message } };
    }
  }
}

const NOTHING = { principal: null, ccache: null, secondsLeft: null, renewableUntil: null, error: null };

function statusOf({ ccache, principal, endTime, renewableUntil }: CcacheInfo): TicketStatus {
  const status = { ...NOTHING, principal, ccache };
  if (endTime === 0) {
    const message = `${ccache} holds no ticket of ${principal}: get one with kinit`;
    return { ...status, error: { code: "NO_TICKET", message } };
  }
  const now = Math.floor(Date.now() / 1000);
  const secondsLeft = Math.max(0, endTime - now);
  const renewable = renewableUntil > now ? new Date(renewableUntil * 1000).toISOString() : null;
  const message = `the ticket in ${ccache} has expired: get a new one with kinit`;
  const error = secondsLeft === 0 ? { code: "TICKET_EXPIRED", message } : null;
  return { ...status, secondsLeft, renewableUntil: renewable, error };
}
