import { UsageError } from "../errors.js";
import { callQueue } from "./call-queue.js";
import { toError } from "./gss-error.js";
import { type NameHandle, native } from "./native.js";
import {
  GSS_C_NT_ANONYMOUS,
  GSS_C_NT_EXPORT_NAME,
  GSS_C_NT_HOSTBASED_SERVICE,
  GSS_C_NT_USER_NAME,
  GSS_KRB5_NT_PRINCIPAL_NAME,
} from "./oids.js";

const NAME_TYPES = new Map([
  ["hostbased", GSS_C_NT_HOSTBASED_SERVICE],
  ["user", GSS_C_NT_USER_NAME],
  ["krb5-principal", GSS_KRB5_NT_PRINCIPAL_NAME],
]);

/** A name of the GSS-API: of a service, a user, a principal. */
export class Name {
  /** @internal for src/gss */
  readonly handle: NameHandle;

  /** @internal takes the handle over */
  constructor(handle: NameHandle) {
    this.handle = handle;
  }

  /**
   * gss_import_name.
   *
   * @param text what the type says: `socks@proxy.example.test`, `alice`, `HTTP/www.example.test@EXAMPLE.TEST`
   * @param type `hostbased` (service@host, the default), `user`, `krb5-principal`, or the OID of a name type
   */
  static import(
    text: string | Uint8Array,
    type: "hostbased" | "user" | "krb5-principal" | (string & {}) = "hostbased",
  ): Name {
    const nameType = NAME_TYPES.get(type) ?? type;
    const octets = typeof text === "string" ? Buffer.from(text) : text;
    // The library would read a text up to its first NUL only, and mean another name than the caller.
    if (nameType !== GSS_C_NT_EXPORT_NAME && octets.includes(0)) {
      throw new UsageError("BAD_ARGUMENT", "a name must not contain NUL");
    }
    try {
      return new Name(native.importName(octets, nameType));
    } catch (error) {
      throw toError(error, { target: Buffer.from(octets).toString() });
    }
  }

  /** gss_display_name. */
  toString(): string {
    // gss-ntlmssp counts the NUL behind its names.
    return this.#display().text.toString().replace(/\0$/, "");
  }

  /** The OID of the name's type; undefined where the library has none. */
  get nameType(): string | undefined {
    return this.#display().nameType;
  }

  /** gss_canonicalize_name: the name as one mechanism sees it. May ask DNS. */
  async canonicalize(mechanism: string): Promise<Name> {
    try {
      return new Name(await callQueue.run("network", () => native.canonicalizeName(this.handle, mechanism)));
    } catch (error) {
      throw toError(error);
    }
  }

  /** gss_compare_name. */
  equals(other: Name): boolean {
    try {
      return native.compareName(this.handle, other.handle);
    } catch (error) {
      throw toError(error);
    }
  }

  /** gss_export_name: flat octets of a name that one mechanism has canonicalized. */
  export(): Buffer {
    try {
      return native.exportName(this.handle);
    } catch (error) {
      throw toError(error);
    }
  }

  /** gss_localname: the local user, by the library's rules (krb5: auth_to_local). */
  async localName(mechanism: string | null = null): Promise<string> {
    try {
      return await callQueue.run("network", () => native.localname(this.handle, mechanism));
    } catch (error) {
      throw toError(error);
    }
  }

  /** Idempotent. */
  close(): void {
    this.handle.close();
  }

  #display(): { text: Buffer; nameType?: string } {
    try {
      return native.displayName(this.handle);
    } catch (error) {
      throw toError(error);
    }
  }
}

/** @param text `rcmd@proxy.example.test`, or a principal in full: `rcmd/proxy.example.test@EXAMPLE.TEST` */
export function importService(text: string): Name {
  return Name.import(text, text.includes("/") ? "krb5-principal" : "hostbased");
}

export interface DisplayedName {
  text: string;
  /** OID. */
  nameType: string | undefined;
}

/** Whether it is nobody's: by its type, or as Kerberos' anonymous principal, which may have a realm (RFC 8062 §3). */
export function isAnonymous({ text, nameType }: DisplayedName): boolean {
  return nameType === GSS_C_NT_ANONYMOUS || /^WELLKNOWN\/ANONYMOUS(@|$)/.test(text);
}

/** Text of a handle the caller owns, which is closed; empty for none. */
export function takeName(handle: NameHandle | undefined): string {
  if (handle === undefined) return "";
  const name = new Name(handle);
  try {
    return name.toString();
  } finally {
    name.close();
  }
}
