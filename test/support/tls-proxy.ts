/** A proxy with TLS on its listeners, for programs that others wrote, and the certificates that go with it. */
import type { TestContext } from "node:test";
import { type Certificate, makeAuthority, makeCertificate } from "./certificates.js";
import { PlainProxy } from "./plain-proxy.js";

export interface TlsProxy {
  proxy: PlainProxy;
  /** Nobody is asked who they are. */
  open: number;
  /** TLS 1.3 and nothing less. */
  newest: number;
  /** METHOD 0x02. */
  guarded: number;
  /** METHOD 0x00, where the client's certificate says who it is. */
  certified: number;
  /** The same, and without a certificate there is no TLS. */
  required: number;
  authority: Certificate;
  /** Has nothing to do with the proxy. */
  stranger: Certificate;
  /** Clients' certificates: `SUBJECT`'s, and one for the same by the stranger. */
  client: Certificate;
  impostor: Certificate;
}

/** As the audit has it. */
export const SUBJECT = "CN=alice, O=Example";

export async function tlsProxy(context: TestContext): Promise<TlsProxy> {
  const made: Partial<TlsProxy> = {};
  const proxy = await PlainProxy.start(context, async (dir) => {
    const authority = await makeAuthority(dir);
    const stranger = await makeAuthority(dir, "stranger");
    const client = await makeCertificate(dir, "client", "", authority, "/O=Example/CN=alice");
    const impostor = await makeCertificate(dir, "impostor", "", stranger, "/O=Example/CN=alice");
    Object.assign(made, { authority, stranger, client, impostor });
    const server = await makeCertificate(dir, "server", "DNS:localhost,IP:127.0.0.1", authority);
    const asking = { ...server, clientAuthorities: authority.certificate };
    const listener = (method: string, tls: object) => ({
      address: "127.0.0.1:0",
      methods: [method],
      ...(method === "none" && { socks4: { identity: "none" } }),
      tls,
    });
    return [
      listener("none", server),
      listener("none", { ...server, minVersion: "TLSv1.3" }),
      listener("password", server),
      listener("certificate", asking),
      listener("certificate", { ...asking, clientCertificate: "required" }),
    ];
  });
  const [open, newest, guarded, certified, required] = proxy.server.ports.slice(3);
  return { ...made, proxy, open, newest, guarded, certified, required } as TlsProxy;
}
