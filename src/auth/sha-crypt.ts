/**
 * SHA-crypt, the `$5$` and `$6$` of crypt(3), after U. Drepper's "Unix crypt using SHA-256 and SHA-512". Ours because
 * no npm package does it for every password: see docs/decisions.
 */
import { createHash } from "node:crypto";

export interface ShaCryptSetting {
  readonly algorithm: "sha256" | "sha512";
  /** At most 16 characters. */
  readonly salt: string;
  readonly rounds: number;
}

const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The text behind the last `$`. */
export function shaCrypt(
  password: Uint8Array,
  { algorithm, salt: saltText, rounds }: ShaCryptSetting,
): string {
  const salt = Buffer.from(saltText);
  const hash = (...parts: readonly Uint8Array[]) => {
    const digest = createHash(algorithm);
    for (const part of parts) digest.update(part);
    return digest.digest();
  };
  const secrets: Buffer[] = [];
  const keep = (octets: Buffer) => {
    secrets.push(octets);
    return octets;
  };

  const b = keep(hash(password, salt, password));
  // Steps 9 to 11: a digest's worth of B for the password's length, then B or the password for each of its bits.
  const parts: Uint8Array[] = [password, salt, keep(stretch(b, password.length))];
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? b : password);
  let running = keep(hash(...parts));

  const p = keep(stretch(keep(hash(...Array(password.length).fill(password))), password.length));
  const s = stretch(hash(...Array(16 + running.readUInt8(0)).fill(salt)), salt.length);

  for (let round = 0; round < rounds; round++) {
    const digest = createHash(algorithm).update(round & 1 ? p : running);
    if (round % 3 !== 0) digest.update(s);
    if (round % 7 !== 0) digest.update(p);
    running = digest.update(round & 1 ? running : p).digest();
  }
  for (const octets of secrets) octets.fill(0);
  return encode(running);
}

/** The digest over and over, up to `length` octets. */
function stretch(digest: Buffer, length: number): Buffer {
  return Buffer.alloc(length, digest);
}

/**
 * Three octets make four characters, least significant first. Of each group the octets lie a third of the digest
 * apart, and the groups take turns in where they begin; what is left (one or two octets) comes last.
 */
function encode(digest: Buffer): string {
  const third = Math.floor(digest.length / 3);
  // SHA-256 turns the group to the right, SHA-512 to the left.
  const turn = digest.length === 32 ? 2 : 1;
  let text = "";
  for (let group = 0; group < third; group++) {
    const octet = (place: number) => digest.readUInt8(((place + group * turn) % 3) * third + group);
    text += characters((octet(0) << 16) | (octet(1) << 8) | octet(2), 4);
  }
  const rest = digest.subarray(third * 3);
  return rest.length === 1
    ? text + characters(rest.readUInt8(0), 2)
    : text + characters((rest.readUInt8(1) << 8) | rest.readUInt8(0), 3);
}

function characters(value: number, count: number): string {
  return Array.from({ length: count }, (_, index) => ALPHABET[(value >> (6 * index)) & 0x3f]).join("");
}
