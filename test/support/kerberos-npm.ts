/**
 * The npm package `kerberos`: an independent initiator for context establishment. (Its wrap is made for SASL and cannot
 * wrap data.) It runs in this process, so a realm must have been entered.
 */
import kerberos from "kerberos";

export interface KerberosNpmInitiator {
  /** Takes the acceptor's token (none at first); gives the next one, empty where there is none to send. */
  step(token?: Uint8Array): Promise<Buffer>;
  /** Whether the context is established. */
  complete(): boolean;
}

/** @param service host-based, as rcmd@localhost */
export async function kerberosNpmInitiator(
  service: string,
  mechanism: "krb5" | "spnego" = "krb5",
): Promise<KerberosNpmInitiator> {
  // It reads `flags`; its type declarations say `gssFlag`.
  const options = {
    mechOID: mechanism === "krb5" ? kerberos.GSS_MECH_OID_KRB5 : kerberos.GSS_MECH_OID_SPNEGO,
    flags:
      kerberos.GSS_C_MUTUAL_FLAG |
      kerberos.GSS_C_REPLAY_FLAG |
      kerberos.GSS_C_SEQUENCE_FLAG |
      kerberos.GSS_C_CONF_FLAG |
      kerberos.GSS_C_INTEG_FLAG,
  };
  const client = await kerberos.initializeClient(service, options);
  return {
    async step(token) {
      return Buffer.from((await client.step(Buffer.from(token ?? []).toString("base64"))) ?? "", "base64");
    },
    complete: () => client.contextComplete,
  };
}
