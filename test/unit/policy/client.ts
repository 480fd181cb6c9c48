import type { Client, PolicyRequest } from "../../../src/policy/facts.js";
import { NO_GROUPS, NO_LOCAL_NAME } from "../../../src/policy/facts.js";

/** Nobody in particular, by the method gssapi, on loopback in clear. */
export function aClient(of: Partial<Client> = {}): Client {
  return {
    method: "gssapi",
    mechanism: null,
    principal: null,
    user: null,
    localName: NO_LOCAL_NAME,
    groups: NO_GROUPS,
    tlsSubject: null,
    address: null,
    listener: "127.0.0.1:1080",
    level: "none",
    tls: false,
    ...of,
  };
}

/** Such a client that wants to connect. */
export function asking(of: Partial<Client> = {}): Pick<PolicyRequest, "client" | "command" | "time"> {
  return { client: aClient(of), command: "connect", time: 0 };
}
