// RFC 1961 §4.2: the level's octet, and the server's choice for every offer and every list.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerError } from "../../../src/errors.js";
import {
  type AgreedLevel,
  chooseLevel,
  levelFromOctets,
  levelToOctet,
  type ProtectionLevel,
} from "../../../src/protocol/protection-level.js";

const LEVELS: readonly ProtectionLevel[] = ["none", "integrity", "confidentiality", "selective"];

test("octets 0 to 3, and nothing else", () => {
  for (const [octet, level] of LEVELS.entries()) {
    assert.equal(levelFromOctets(Buffer.of(octet)), level);
    assert.equal(levelToOctet(level), octet);
  }
  for (const octets of [[], [4], [0xff], [2, 0], [2, 2], new Array(70000).fill(2)]) {
    assert.throws(
      () => levelFromOctets(Buffer.from(octets)),
      (error) => error instanceof PeerError && error.code === "BAD_LEVEL" && error.message.length < 200,
    );
  }
});

test("the server's choice, for every list in every order", () => {
  const n: AgreedLevel = "none";
  const i: AgreedLevel = "integrity";
  const c: AgreedLevel = "confidentiality";
  //            allowed       offered 0, 1, 2, 3
  const table: [AgreedLevel[], [AgreedLevel, AgreedLevel, AgreedLevel, AgreedLevel]][] = [
    [[n], [n, n, n, n]],
    [[i], [i, i, i, i]],
    [[c], [c, c, c, c]],
    [
      [c, i],
      [c, i, c, c],
    ],
    [
      [i, c],
      [i, i, c, c],
    ],
    [
      [c, n],
      [n, c, c, c],
    ],
    [
      [n, c],
      [n, n, c, c],
    ],
    [
      [i, n],
      [n, i, i, i],
    ],
    [
      [n, i],
      [n, i, n, i],
    ],
    [
      [c, i, n],
      [n, i, c, c],
    ],
    [
      [c, n, i],
      [n, i, c, c],
    ],
    [
      [i, c, n],
      [n, i, c, c],
    ],
    [
      [i, n, c],
      [n, i, c, c],
    ],
    [
      [n, c, i],
      [n, i, c, c],
    ],
    [
      [n, i, c],
      [n, i, c, c],
    ],
  ];
  for (const [allowed, answers] of table) {
    const chosen = LEVELS.map((offered) => chooseLevel(offered, allowed));
    assert.deepEqual(chosen, answers, `allowed: ${allowed.join(", ")}`);
  }
});
