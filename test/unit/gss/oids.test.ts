/** What a token's first octets tell: DER headers of RFC 2743 §3.1, whole, cut off and malformed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsIakerb, tokenMechanism } from "../../../src/gss/oids.js";

const octets = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

test("the mechanism of a first token", () => {
  const table: [hex: string, oid: string | undefined][] = [
    ["60 0b 06 09 2a 86 48 86 f7 12 01 02 02", "1.2.840.113554.1.2.2"],
    ["60 82 02 ba 06 09 2a 86 48 86 f7 12 01 02 02 01 00", "1.2.840.113554.1.2.2"],
    ["60 08 06 06 2b 06 01 05 05 02", "1.3.6.1.5.5.2"],
    ["4e 54 4c 4d 53 53 50 00 01 00 00 00", "1.3.6.1.4.1.311.2.2.10"],
    // The root 2 has no upper bound for its second arc.
    ["60 05 06 03 88 37 03", "2.999.3"],
    ["", undefined],
    ["60", undefined],
    ["60 ff", undefined],
    ["60 02 06", undefined],
    ["60 02 06 00", undefined],
    ["60 03 06 05 2b", undefined],
    ["60 04 06 02 2b 86", undefined],
    ["60 0d 06 0b 2b ff ff ff ff ff ff ff ff ff 7f", undefined],
    ["61 0b 06 09 2a 86 48 86 f7 12 01 02 02", undefined],
    ["a1 07 30 05 a0 03 0a 01 01", undefined],
  ];
  for (const [hex, oid] of table) assert.equal(tokenMechanism(octets(hex)), oid, hex);
  // A view of larger memory.
  const memory = octets("ff ff 60 08 06 06 2b 06 01 05 02 05 ff");
  assert.equal(tokenMechanism(memory.subarray(2, 12)), "1.3.6.1.5.2.5");
  assert.equal(holdsIakerb(memory.subarray(2, 12)), true);
  assert.equal(holdsIakerb(memory.subarray(2, 11)), false);
  assert.equal(holdsIakerb(new Uint8Array(0)), false);
});
