import { domainToASCII } from "node:url";
import { native } from "./native.js";

/**
 * A name's addresses by getaddrinfo(3): what `getent ahosts` says, as /etc/hosts, nsswitch.conf and resolv.conf have it,
 * in the order to try them (RFC 6724). Rejects with an Error whose `code` is EAI_NONAME, EAI_AGAIN and so on.
 *
 * A thread of the addon is taken until it answers, none of libuv's pool: look-ups and GSS-API calls never wait for each
 * other.
 */
export function lookUpHost(name: string): Promise<string[]> {
  // The library takes octets for what they are (RFC 5891 has A-labels in DNS).
  return native.lookUpHost(/^\p{ASCII}*$/u.test(name) ? name : domainToASCII(name));
}
