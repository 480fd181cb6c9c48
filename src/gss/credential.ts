import { UsageError } from "../errors.js";
import { callQueue } from "./call-queue.js";
import { GSS_C_ACCEPT, GSS_C_BOTH, GSS_C_INITIATE } from "./flags.js";
import type { Impersonation } from "./gss-cause.js";
import { type FailureContext, toError } from "./gss-error.js";
import { Name, takeName } from "./name.js";
import { type CredentialHandle, native, type StoreElement } from "./native.js";
import { GSS_MECH_KRB5 } from "./oids.js";

export interface AcceptorOptions {
  /** As `FILE:/etc/gssocks/krb5.keytab`; the library's default keytab (KRB5_KTNAME) otherwise. */
  keytab?: string | undefined;
  /** Replay cache, as `dfl:` or `file2:PATH`; the library's default otherwise. */
  rcache?: string | undefined;
  /** Accept for this name only; any key of the keytab otherwise. */
  name?: Name | undefined;
  /** OIDs of the mechanisms to accept; krb5 alone unless said. */
  mechanisms?: readonly string[] | undefined;
}

export interface InitiatorOptions {
  /** As `FILE:/tmp/krb5cc_1000`; the library's default ccache (KRB5CCNAME) otherwise. */
  ccache?: string | undefined;
  /** A keytab to get tickets with, as they are needed. */
  clientKeytab?: string | undefined;
  /** The user, as `alice` or `alice@EXAMPLE.TEST`; needed with a password. */
  principal?: string | undefined;
  /** Asks the KDC for a ticket, which is kept in memory. Copied, and the copy is wiped. */
  password?: string | Uint8Array | undefined;
  /** OIDs; krb5 alone unless said. */
  mechanisms?: readonly string[] | undefined;
}

export interface StoreOptions {
  /** As `FILE:/run/user/1000/krb5cc_job`; it is made where it does not exist. */
  ccache: string;
  /** Take the place of what is in the ccache. Default false: a ccache of the same principal is an error then. */
  overwrite?: boolean | undefined;
}

export interface CredentialInfo {
  name: string | undefined;
  /** Seconds; GSS_C_INDEFINITE for no end. */
  lifetime: number;
  usage: "initiate" | "accept" | "both";
  /** OIDs. */
  mechanisms: string[];
}

const USAGES = new Map<number, CredentialInfo["usage"]>([
  [GSS_C_BOTH, "both"],
  [GSS_C_INITIATE, "initiate"],
  [GSS_C_ACCEPT, "accept"],
]);

/** What an initiator or an acceptor proves its identity with: a ticket, the keys of a keytab. */
export class Credential {
  /** @internal for src/gss */
  readonly handle: CredentialHandle;
  /** @internal where it came from, for the text of errors */
  readonly origin: FailureContext;
  /** Of one that an acceptor has although the initiator delegated nothing ({@link Credential.both}); else null. */
  readonly impersonation: Impersonation | null;
  readonly #mechanisms: readonly string[];

  /** @internal takes the handle over. @param mechanisms OIDs of those that it is for */
  constructor(handle: CredentialHandle, origin: FailureContext, mechanisms: readonly string[]) {
    this.handle = handle;
    this.origin = origin;
    this.impersonation = origin.impersonation ?? null;
    this.#mechanisms = mechanisms;
  }

  /** Whether it is for the mechanism, an OID. Told without asking the library, which might choose a ccache for that. */
  holds(mechanism: string): boolean {
    return this.#mechanisms.includes(mechanism);
  }

  /**
   * gss_acquire_cred_from with GSS_C_ACCEPT. Nothing process-wide is set. A keytab that is replaced later is seen by
   * the contexts that are accepted then: there is no need to acquire again.
   */
  static async acceptor(options: AcceptorOptions = {}): Promise<Credential> {
    const origin: FailureContext = {
      role: "acceptor",
      keytab: options.keytab,
      target: options.name?.toString(),
    };
    const store = storeOf({ keytab: options.keytab, rcache: options.rcache });
    const name = options.name?.handle ?? null;
    const mechanisms = options.mechanisms ?? [GSS_MECH_KRB5];
    const acquire = (mechanisms: readonly string[]) =>
      callQueue
        .run("local", () => native.acquireCredFrom(name, 0, mechanisms, GSS_C_ACCEPT, store))
        .catch((error: unknown) => {
          throw toError(error, { ...origin, mechanisms });
        });
    const acquired = await acquire(mechanisms);
    const missing = mechanisms.filter((oid) => !acquired.mechanisms.includes(oid));
    if (missing.length === 0) return new Credential(acquired.credential, origin, acquired.mechanisms);
    // The library is content with one of them. Asked for the others alone, it says what they lack.
    acquired.credential.close();
    for (const oid of missing) (await acquire([oid])).credential.close();
    throw new UsageError("BAD_ARGUMENT", `no acceptor can have all of these mechanisms: ${mechanisms}`);
  }

  /** gss_acquire_cred_from, or gss_acquire_cred_with_password, with GSS_C_INITIATE. */
  static async initiator(options: InitiatorOptions = {}): Promise<Credential> {
    const { ccache, clientKeytab, principal, password } = options;
    const origin: FailureContext = { role: "initiator", ccache, clientKeytab, principal };
    const mechanisms = options.mechanisms ?? [GSS_MECH_KRB5];
    const name = principal === undefined ? null : Name.import(principal, "user");
    try {
      const acquired = await callQueue.run("network", async () => {
        if (password === undefined || name === null) {
          const store = storeOf({ ccache, client_keytab: clientKeytab });
          return native.acquireCredFrom(name?.handle ?? null, 0, mechanisms, GSS_C_INITIATE, store);
        }
        const octets = typeof password === "string" ? Buffer.from(password) : password;
        return native.acquireCredWithPassword(name.handle, octets, 0, mechanisms, GSS_C_INITIATE);
      });
      return new Credential(acquired.credential, origin, acquired.mechanisms);
    } catch (error) {
      throw toError(error, origin);
    } finally {
      name?.close();
    }
  }

  /**
   * gss_acquire_cred_from with GSS_C_BOTH: for a service that also acts in its clients' place (constrained delegation). What
   * {@link SecurityContext.takeDelegated} gives of contexts that this accepts can be used even where the client delegated
   * nothing, towards services that the KDC allows (S4U2Proxy).
   *
   * @param options the initiator's half needs a client keytab or a ccache, of the same principal as `name`
   */
  static async both(
    options: AcceptorOptions & Pick<InitiatorOptions, "ccache" | "clientKeytab">,
  ): Promise<Credential> {
    const { name, keytab, rcache, ccache, clientKeytab, mechanisms = [GSS_MECH_KRB5] } = options;
    const origin: FailureContext = { keytab, ccache, clientKeytab, target: name?.toString() };
    const store = storeOf({ keytab, rcache, ccache, client_keytab: clientKeytab });
    const acquired = await callQueue
      .run("network", () => native.acquireCredFrom(name?.handle ?? null, 0, mechanisms, GSS_C_BOTH, store))
      .catch((error: unknown) => {
        throw toError(error, origin);
      });
    return new Credential(acquired.credential, origin, acquired.mechanisms);
  }

  /**
   * gss_acquire_cred_impersonate_name: the user's credential as far as the KDC lets this service have it, without the user
   * (S4U2Self). It names the user to this service itself, and to others where the KDC allows that (S4U2Proxy).
   *
   * @param user as `alice` or `alice@EXAMPLE.TEST`
   */
  async impersonate(
    user: string | Name,
    mechanisms: readonly string[] = [GSS_MECH_KRB5],
  ): Promise<Credential> {
    const name = typeof user === "string" ? Name.import(user, "user") : user;
    const origin: FailureContext = { ...this.origin, role: "initiator", principal: name.toString() };
    try {
      const acquired = await callQueue.run("network", () =>
        native.acquireCredImpersonateName(this.handle, name.handle, 0, mechanisms, GSS_C_INITIATE),
      );
      return new Credential(acquired.credential, origin, acquired.mechanisms);
    } catch (error) {
      throw toError(error, origin);
    } finally {
      if (name !== user) name.close();
    }
  }

  /** gss_store_cred_into: writes an initiator's tickets, as a delegated credential's, where other programs find them. */
  async store({ ccache, overwrite = false }: StoreOptions): Promise<void> {
    try {
      await callQueue.run("network", () =>
        native.storeCredInto(this.handle, GSS_C_INITIATE, null, overwrite, false, [["ccache", ccache]]),
      );
    } catch (error) {
      throw toError(error, { ...this.origin, ccache });
    }
  }

  /** gss_inquire_cred. */
  async inquire(): Promise<CredentialInfo> {
    try {
      const { name, lifetime, usage, mechanisms } = await callQueue.run("network", () =>
        native.inquireCred(this.handle),
      );
      return {
        name: takeName(name) || undefined,
        lifetime,
        usage: USAGES.get(usage) ?? "both",
        mechanisms,
      };
    } catch (error) {
      throw toError(error, this.origin);
    }
  }

  /** gss_set_neg_mechs: the mechanisms, by OID, that SPNEGO may negotiate with this credential. */
  setNegotiable(mechanisms: readonly string[]): void {
    try {
      native.setNegMechs(this.handle, mechanisms);
    } catch (error) {
      throw toError(error, this.origin);
    }
  }

  /** Idempotent; contexts that are being established with it go on. */
  close(): void {
    this.handle.close();
  }
}

function storeOf(elements: Record<string, string | undefined>): StoreElement[] | null {
  const store = Object.entries(elements).filter((row): row is StoreElement => row[1] !== undefined);
  return store.length === 0 ? null : store;
}
