/** The codecs: a message, or null, or a PeerError; what was taken can be sent again and comes back the same. */
import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { PeerError } from "../../src/errors.js";
import type { Endpoint } from "../../src/protocol/address.js";
import { encodeGssapiMessage, takeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { encodeIdentLookup, takeIdentLookup } from "../../src/protocol/ident-lookup.js";
import {
  encodeIdentQuery,
  encodeIdentResponse,
  type IdentResponse,
  MAX_USER_ID,
  takeIdentQuery,
  takeIdentResponse,
} from "../../src/protocol/ident-message.js";
import { encodeMethod, encodeMethods, takeMethod, takeMethods } from "../../src/protocol/method-selection.js";
import { ReceiveBuffer } from "../../src/protocol/receive-buffer.js";
import { encodeReply, takeReply } from "../../src/protocol/reply.js";
import { encodeRequest, takeRequest } from "../../src/protocol/request.js";
import { type Socks4Request, takeSocks4Request } from "../../src/protocol/socks4.js";
import {
  encodeCredentials,
  encodeStatus,
  takeCredentials,
  takeStatus,
} from "../../src/protocol/username-password.js";

interface Codec<T> {
  take(received: ReceiveBuffer): T | null;
  encode(value: T): Buffer;
  check?(value: T): void;
}

const codec = <T>(parts: Codec<T>): Codec<unknown> => parts as Codec<unknown>;

const CODECS: readonly Codec<unknown>[] = [
  codec({ take: takeMethods, encode: encodeMethods, check: (methods) => assert.ok(methods.length > 0) }),
  codec({ take: takeMethod, encode: encodeMethod }),
  codec({
    take: (received) => takeGssapiMessage(received, [1, 2, 3]),
    encode: ({ mtyp, token }) => encodeGssapiMessage(mtyp, token),
  }),
  codec({
    take: takeCredentials,
    encode: encodeCredentials,
    check: ({ username }) => assert.doesNotMatch(username, /^$|\p{Cc}/u),
  }),
  codec({ take: takeStatus, encode: encodeStatus }),
  codec({ take: takeRequest, encode: encodeRequest, check: ({ dst }) => checkEndpoint(dst) }),
  codec({
    take: takeSocks4Request,
    encode: encodeSocks4Request,
    check: ({ user }) => assert.doesNotMatch(user, /\p{C}/u),
  }),
  codec({ take: takeReply, encode: encodeReply, check: ({ bnd }) => checkEndpoint(bnd) }),
  codec({ take: takeIdentQuery, encode: encodeIdentQuery }),
  codec({ take: takeIdentResponse, encode: encodeIdentResponse, check: checkUserId }),
  codec({ take: takeIdentLookup, encode: encodeIdentLookup }),
];

/** As a client of SOCKS4 or 4a sends it. An address that 4a would take for a name can't come out of the parser. */
function encodeSocks4Request({ cmd, dst: { host, port }, user }: Socks4Request): Buffer {
  const ip = host.kind === "ipv4" ? host.address.split(".").map(Number) : [0, 0, 0, 1];
  const name = host.kind === "ipv4" ? "" : `${host.kind === "domain" ? host.name : host.address}\0`;
  const head = [0x04, cmd, port >> 8, port & 0xff, ...ip];
  return Buffer.concat([Buffer.from(head), Buffer.from(`${user}\0${name}`)]);
}

/** Tries every codec at every offset of `octets`. */
export function fuzzCodecs(octets: Buffer): void {
  for (const each of CODECS) {
    for (let at = 0; at < Math.min(octets.length, 64); at += 1) takeFrom(each, octets.subarray(at));
  }
}

function takeFrom({ take, encode, check }: Codec<unknown>, octets: Buffer): void {
  const received = new ReceiveBuffer(octets.length);
  received.append(octets);
  let taken: unknown;
  try {
    taken = take(received);
  } catch (error) {
    assert.ok(error instanceof PeerError, String(error));
    return;
  }
  if (taken === null) {
    assert.equal(received.length, octets.length, "an unfinished message is left where it is");
    return;
  }
  assert.ok(received.length < octets.length);
  check?.(taken);
  const again = new ReceiveBuffer(1 << 20);
  again.append(encode(taken));
  assert.deepEqual(take(again), taken);
  assert.equal(again.length, 0);
}

export function checkEndpoint({ host, port }: Endpoint): void {
  assert.ok(Number.isInteger(port) && port >= 0 && port <= 0xffff);
  if (host.kind === "domain") assert.match(host.name, /^[\w.-]{1,255}$/);
  else if (host.kind === "ipv4") assert.ok(isIPv4(host.address));
  else assert.ok(isIPv6(host.address) && !host.address.startsWith("::ffff:"));
}

function checkUserId(response: IdentResponse): void {
  if (response.type === "ERROR") return;
  assert.doesNotMatch(response.userId, /\p{C}/u);
  assert.ok(response.userId.length >= 1 && response.userId.length <= 2 * MAX_USER_ID);
}
