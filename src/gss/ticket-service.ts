/**
 * Which service a Kerberos ticket is for, told by a context's first token before the library has looked at it: that part is
 * neither encrypted nor protected, so it is good for choosing with which of our credentials to accept, and for nothing else.
 *
 *     AP-REQ ::= [APPLICATION 14] SEQUENCE { pvno [0], msg-type [1], ap-options [2], ticket [3] Ticket, ... }   RFC 4120 §5.5.1
 *     Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0], realm [1], sname [2] PrincipalName, ... }                       §5.3
 *     PrincipalName ::= SEQUENCE { name-type [0], name-string [1] SEQUENCE OF GeneralString }                           §5.2.2
 */

/** The mechanism's OID and the token's type (RFC 4121 §4.1), in SPNEGO's first token, too, and then the AP-REQ's tag. */
const BEFORE = Buffer.from("06092a864886f7120102020100", "hex");
const AP_REQ = 0x6e;
const TICKET = 0x61;
const SEQUENCE = 0x30;
const GENERAL_STRING = 0x1b;
const field = (number: number) => 0xa0 + number;

/** Nothing that is written in another way in a principal's text, and no name that is not somebody's to type. */
const PLAIN = /^[\w.:$+-]{1,255}$/;
const MOST_PARTS = 4;

/** As `rcmd/proxy.example.test@EXAMPLE.TEST`; null where the token does not say, or says it strangely. */
export function ticketService(token: Uint8Array): string | null {
  const octets = Buffer.from(token.buffer, token.byteOffset, token.byteLength);
  const found = octets.indexOf(BEFORE);
  if (found < 0) return null;
  const ticket = inside(octets.subarray(found + BEFORE.length), AP_REQ, SEQUENCE, field(3), TICKET, SEQUENCE);
  const realm = inside(ticket, field(1), GENERAL_STRING);
  const name = inside(ticket, field(2), SEQUENCE, field(1), SEQUENCE);
  if (realm === null || name === null) return null;
  const parts: string[] = [];
  for (let rest: Buffer | null = name; rest.length > 0; ) {
    const part: Element | null = elementOf(rest);
    if (part === null || part.tag !== GENERAL_STRING || parts.length === MOST_PARTS) return null;
    parts.push(part.body.toString("latin1"));
    rest = part.rest;
  }
  const plain = [realm.toString("latin1"), ...parts].every((each) => PLAIN.test(each));
  return plain && parts.length > 0 ? `${parts.join("/")}@${realm.toString("latin1")}` : null;
}

interface Element {
  readonly tag: number;
  readonly body: Buffer;
  /** What stands behind it. */
  readonly rest: Buffer;
}

/** The body of the first element with the first tag, in that of the first with the second, and so on. */
function inside(octets: Buffer | null, ...tags: readonly number[]): Buffer | null {
  let body = octets;
  for (const tag of tags) {
    let element = elementOf(body);
    while (element !== null && element.tag !== tag) element = elementOf(element.rest);
    body = element?.body ?? null;
  }
  return body;
}

/** X.690 §8.1, with tags of one octet and lengths of three at most. */
function elementOf(octets: Buffer | null): Element | null {
  if (octets === null || octets.length < 2) return null;
  const [tag, first] = octets as unknown as [number, number];
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (first >= 0x80 && (more === 0 || more > 2 || octets.length < 2 + more)) return null;
  const length = more === 0 ? first : octets.readUIntBE(2, more);
  const begin = 2 + more;
  if (begin + length > octets.length) return null;
  return { tag, body: octets.subarray(begin, begin + length), rest: octets.subarray(begin + length) };
}
