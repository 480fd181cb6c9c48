/**
 * Our own tickets, for where the KDC lets us act in our clients' place (constrained delegation, S4U2Proxy: MS-SFU §3.1.5.2):
 * contexts that are accepted with them give a credential for that. The KDC takes a client's ticket as evidence from the service
 * that it is for, and from no other, so there is one for each service of ours that clients come to, got when the first one comes.
 */
import { GssError, GssocksError } from "../errors.js";
import { Credential } from "../gss/credential.js";
import { Name } from "../gss/name.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../gss/oids.js";
import { ticketService } from "../gss/ticket-service.js";

export interface ImpersonationOptions {
  /** It also gives us our tickets. */
  keytab: string;
  /** Told once, until it is well again. */
  warn: (reason: string) => void;
}

/** What there is to accept a client with. */
export interface Found {
  /** null: it is to be accepted without. */
  readonly credential: Credential | null;
  /** Why we have no ticket, where we should. */
  readonly failure: GssocksError | null;
}

/** How long a client waits for a KDC that does not answer, in ms: it may want nothing that needs the ticket. */
const PATIENCE = 3000;
/** From a failure until the KDC is asked again, in ms. */
const PAUSE = 10_000;
/** Of its life, when a ticket is replaced: a little behind the half of it, at which the library thinks it worth its while. */
const RENEW_AT = 0.6;

const NOTHING: Found = { credential: null, failure: null };

export class Impersonators {
  readonly #options: ImpersonationOptions;
  readonly #mechanisms: readonly string[];
  /** By principal; there are no more than the keytab has keys. */
  readonly #tickets = new Map<string, OwnTicket>();
  #closed = false;

  /** @param mechanisms OIDs of all that are accepted */
  constructor(options: ImpersonationOptions, mechanisms: readonly string[]) {
    this.#options = options;
    this.#mechanisms = mechanisms.filter((oid) => oid === GSS_MECH_KRB5 || oid === GSS_MECH_SPNEGO);
  }

  /** @param token a context's first. The credential stays ours. */
  async find(token: Uint8Array): Promise<Found> {
    const { keytab, warn } = this.#options;
    const service = ticketService(token);
    // Of one that is not ours the library tells as of any other.
    if (service === null || !(this.#tickets.has(service) || (await isIn(keytab, service)))) return NOTHING;
    if (this.#closed) return NOTHING;
    const ticket = this.#tickets.get(service) ?? new OwnTicket(() => this.#acquire(service), warn);
    this.#tickets.set(service, ticket);
    return ticket.find();
  }

  close(): void {
    this.#closed = true;
    for (const ticket of this.#tickets.values()) ticket.close();
  }

  async #acquire(principal: string): Promise<Credential> {
    const credential = await withName(principal, (name) =>
      ownTicket(this.#options.keytab, name, this.#mechanisms),
    );
    if (this.#mechanisms.includes(GSS_MECH_SPNEGO)) credential.setNegotiable([GSS_MECH_KRB5]);
    return credential;
  }
}

/** Accepts with a key of the keytab, and initiates with the ticket that the KDC gives for it. @throws GssError */
export function ownTicket(
  keytab: string,
  name: Name,
  mechanisms: readonly string[] = [GSS_MECH_KRB5],
): Promise<Credential> {
  // Of this process alone. It is found again by its name: the library replaces what is in it when it gets old.
  const ccache = `MEMORY:gssocks ${name}`;
  return Credential.both({ name, keytab, clientKeytab: keytab, ccache, mechanisms });
}

function isIn(keytab: string, principal: string): Promise<boolean> {
  return withName(principal, async (name) => {
    try {
      (await Credential.acceptor({ keytab, name })).close();
      return true;
    } catch (error) {
      if (error instanceof GssError) return false;
      throw error;
    }
  });
}

async function withName<T>(principal: string, use: (name: Name) => Promise<T>): Promise<T> {
  const name = Name.import(principal, "krb5-principal");
  try {
    return await use(name);
  } finally {
    name.close();
  }
}

/** One principal's, got anew before it ends, when a client comes. */
class OwnTicket {
  readonly #acquire: () => Promise<Credential>;
  readonly #warn: (reason: string) => void;
  #credential: Credential | null = null;
  #failure: GssocksError | null = null;
  // By the clock on the wall, as tickets are.
  #ends = 0;
  #renewAt = 0;
  #pending: Promise<void> | null = null;
  #closed = false;

  constructor(acquire: () => Promise<Credential>, warn: (reason: string) => void) {
    this.#acquire = acquire;
    this.#warn = warn;
  }

  async find(): Promise<Found> {
    if (Date.now() >= this.#renewAt) this.#pending ??= this.#renew();
    if (this.#usable === null && this.#pending !== null) await atMost(PATIENCE, this.#pending);
    return { credential: this.#usable, failure: this.#failure };
  }

  close(): void {
    this.#closed = true;
    this.#credential?.close();
  }

  get #usable(): Credential | null {
    return Date.now() < this.#ends && !this.#closed ? this.#credential : null;
  }

  async #renew(): Promise<void> {
    let acquired: Credential | undefined;
    try {
      acquired = await this.#acquire();
      const { lifetime } = await acquired.inquire();
      this.#credential?.close();
      this.#credential = acquired;
      this.#failure = null;
      this.#ends = Date.now() + lifetime * 1000;
      this.#renewAt = Date.now() + lifetime * 1000 * RENEW_AT;
      if (this.#closed) acquired.close();
    } catch (error) {
      acquired?.close();
      if (!(error instanceof GssocksError)) throw error;
      if (this.#failure?.code !== error.code)
        this.#warn(`no ticket to act in clients' place: ${error.message}`);
      this.#failure = error;
      this.#renewAt = Date.now() + PAUSE;
    } finally {
      this.#pending = null;
    }
  }
}

async function atMost(milliseconds: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
