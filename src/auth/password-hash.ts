/** One password's hash as a users file holds it: bcrypt, SHA-crypt or argon2. Nothing here is quick: see hash-worker. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { argon2id, argon2Verify, bcryptVerify } from "hash-wasm";
import { UsageError } from "../errors.js";
import { shaCrypt } from "./sha-crypt.js";

export interface PasswordHash {
  readonly text: string;
  /** What one check costs, roughly in milliseconds of a processor: enough to tell which of two takes longer. */
  readonly cost: number;
}

/** A line that costs more would hold up everybody else's checks. */
const HIGHEST_COST = 1500;
/** KiB that one argon2 line may take. */
const MOST_MEMORY = 256 * 1024;
/** bcrypt reads no further, and neither do the programs that write such lines. */
const BCRYPT_LENGTH = 72;

const BCRYPT = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;
const SHA_CRYPT = /^\$([56])\$(?:rounds=([1-9]\d{0,8})\$)?([./A-Za-z0-9]{1,16})\$([./A-Za-z0-9]+)$/;
const ARGON2 =
  /^\$argon2(?:id|i|d)\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d{0,6}),p=([1-9]\d{0,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** @throws UsageError (BAD_VALUE) that says what is wrong with it */
export function parsePasswordHash(text: string): PasswordHash {
  const cost = bcryptCost(text) ?? shaCryptCost(text) ?? argon2Cost(text);
  if (cost === undefined) throw new UsageError("BAD_VALUE", unknownHash(text));
  if (cost > HIGHEST_COST)
    throw new UsageError("BAD_VALUE", "the hash is made to take longer than about a second: make it cheaper");
  return { text, cost };
}

/** @param hash one that {@link parsePasswordHash} took */
export async function verifyPasswordHash(hash: string, password: Uint8Array): Promise<boolean> {
  if (hash.startsWith("$2")) {
    const matches = await bcryptVerify({ hash, password: password.subarray(0, BCRYPT_LENGTH) });
    // To bcrypt a NUL and what repeats the rest of the password are no difference.
    return matches && !password.includes(0);
  }
  if (hash.startsWith("$argon2")) return argon2Verify({ hash, password });
  const [, id, rounds, salt = "", expected = ""] = SHA_CRYPT.exec(hash) ?? [];
  const algorithm = id === "5" ? "sha256" : "sha512";
  const found = shaCrypt(password, { algorithm, salt, rounds: Number(rounds ?? DEFAULT_ROUNDS) });
  return found.length === expected.length && timingSafeEqual(Buffer.from(found), Buffer.from(expected));
}

const DEFAULT_ROUNDS = 5000;

/** A new hash with a salt of its own: argon2id with the parameters OWASP names first after those of more memory. */
export function makePasswordHash(password: Uint8Array): Promise<string> {
  return argon2id({
    password,
    salt: randomBytes(16),
    memorySize: 19_456,
    iterations: 2,
    parallelism: 1,
    hashLength: 32,
    outputType: "encoded",
  });
}

function bcryptCost(text: string): number | undefined {
  const [, exponent] = BCRYPT.exec(text) ?? [];
  return exponent === undefined ? undefined : 0.07 * 2 ** Number(exponent);
}

function shaCryptCost(text: string): number | undefined {
  const [, id, rounds = DEFAULT_ROUNDS, , digest] = SHA_CRYPT.exec(text) ?? [];
  // crypt(3) takes fewer rounds for 1000, and writes so.
  if (digest?.length !== (id === "5" ? 43 : 86) || Number(rounds) < 1000) return undefined;
  return Number(rounds) * 0.0015;
}

function argon2Cost(text: string): number | undefined {
  const [, m, t, p, salt = "", digest = ""] = ARGON2.exec(text) ?? [];
  // No Base64 has one character more than a multiple of four.
  if (m === undefined || salt.length % 4 === 1 || digest.length % 4 === 1) return undefined;
  const [memory, passes, lanes] = [Number(m), Number(t), Number(p)];
  if (memory < 8 * lanes) return undefined;
  return memory > MOST_MEMORY ? Number.POSITIVE_INFINITY : memory * passes * 0.0015;
}

/** Says nothing of the hash itself. */
function unknownHash(text: string): string {
  const known = "expected a hash of bcrypt ($2y$), SHA-crypt ($5$, $6$) or argon2 ($argon2id$)";
  if (/^(\$apr1\$|\$1\$|\{SHA\})/.test(text)) return `${known}; MD5 and plain SHA-1 are too weak`;
  return known;
}
