/**
 * Username/password authentication (RFC 1929 §2).
 *
 *     +----+------+----------+------+----------+          +----+--------+
 *     |VER | ULEN |  UNAME   | PLEN |  PASSWD  |          |VER | STATUS |
 *     +----+------+----------+------+----------+          +----+--------+
 *     | 1  |  1   | 1 to 255 |  1   | 1 to 255 |          | 1  |   1    |
 *     +----+------+----------+------+----------+          +----+--------+
 *
 * PLEN 0 is taken for an empty password, although the RFC begins at 1: curl and many others send it where their user
 * gave none, and Dante takes it. So such a client gets an answer in the protocol's own words, a failed STATUS, since no
 * backend is ever asked about an empty password.
 */
import { PeerError, UsageError } from "../errors.js";
import { USERNAME_PASSWORD_VERSION } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export interface Credentials {
  readonly username: string;
  /** Any octets. Whoever holds them last wipes them. */
  readonly password: Buffer;
}

const LONGEST = 255;
export const LONGEST_PASSWORD = LONGEST;

/** Control characters, line and paragraph separators, and what turns the direction of the text around it. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What a client sends. The password leaves no copy in `received`.
 * @returns null while octets are missing
 * @throws PeerError (BAD_VERSION, NO_USERNAME, BAD_USERNAME)
 */
export function takeCredentials(received: ReceiveBuffer): Credentials | null {
  if (received.length < 1) return null;
  checkVersion(received.octet(0));
  if (received.length < 2) return null;
  const ulen = received.octet(1);
  if (ulen === 0) throw new PeerError("NO_USERNAME", "the client sends an empty username");
  const plenAt = 2 + ulen;
  if (received.length < plenAt + 1) return null;
  const end = plenAt + 1 + received.octet(plenAt);
  if (received.length < end) return null;
  const message = received.takeSecret(end);
  return parseCredentials(message.subarray(2, plenAt), message.subarray(plenAt + 1));
}

/**
 * However they came.
 * @throws PeerError (NO_USERNAME, BAD_USERNAME); the password is wiped then
 */
export function parseCredentials(username: Buffer, password: Buffer): Credentials {
  try {
    if (username.length === 0) throw new PeerError("NO_USERNAME", "the client sends an empty username");
    if (username.length > LONGEST || password.length > LONGEST)
      throw new PeerError("BAD_USERNAME", `a username and a password have at most ${LONGEST} octets each`);
    return { username: parseUsername(username), password };
  } catch (error) {
    password.fill(0);
    throw error;
  }
}

/** @throws UsageError for a username that cannot be sent, or a password of more than 255 octets */
export function encodeCredentials({ username, password }: Credentials): Buffer {
  checkUsername(username);
  const name = Buffer.from(username);
  if (password.length > LONGEST)
    throw new UsageError("BAD_PASSWORD", `a password must have at most ${LONGEST} octets`);
  return Buffer.concat([
    Buffer.from([USERNAME_PASSWORD_VERSION, name.length]),
    name,
    Buffer.from([password.length]),
    password,
  ]);
}

/** @throws UsageError (BAD_USERNAME) for one that {@link takeCredentials} would not take */
export function checkUsername(username: string): void {
  const octets = Buffer.from(username);
  const faithful = octets.toString() === username;
  if (octets.length > 0 && octets.length <= LONGEST && faithful && !UNPRINTABLE.test(username)) return;
  throw new UsageError(
    "BAD_USERNAME",
    `a username has 1 to ${LONGEST} octets of UTF-8 and no control characters: ${JSON.stringify(username)}`,
  );
}

/**
 * The status a server answers; 0 is success.
 * @returns null while octets are missing
 * @throws PeerError (BAD_VERSION)
 */
export function takeStatus(received: ReceiveBuffer): number | null {
  if (received.length < 1) return null;
  checkVersion(received.octet(0));
  if (received.length < 2) return null;
  return received.take(2).readUInt8(1);
}

export function encodeStatus(status: number): Buffer {
  return Buffer.from([USERNAME_PASSWORD_VERSION, status]);
}

/** Usernames go to rules and to logs: what cannot be read there without doubt is refused. */
function parseUsername(octets: Buffer): string {
  let username: string;
  try {
    username = utf8.decode(octets);
  } catch {
    throw new PeerError("BAD_USERNAME", "the client's username is not UTF-8");
  }
  if (UNPRINTABLE.test(username))
    throw new PeerError("BAD_USERNAME", "the client's username holds control characters");
  return username;
}

function checkVersion(version: number): void {
  if (version === USERNAME_PASSWORD_VERSION) return;
  throw new PeerError(
    "BAD_VERSION",
    `username/password authentication begins with 0x${version.toString(16).padStart(2, "0")}, expected 0x01`,
  );
}
