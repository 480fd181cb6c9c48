// RFC 4121 §4.2.6.2: the sequence number of a Wrap token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sequenceNumber } from "../../../src/protocol/wrap-token.js";
import { hex } from "./hex.js";

const HEAD = hex(`
  05 04                      # TOK_ID
  06 ff                      # Flags, Filler
  00 00 00 1c                # EC, RRC
  01 23 45 67 89 ab cd ef    # SND_SEQ
`);

test("read where the token begins", () => {
  assert.equal(sequenceNumber(HEAD, 0), 0x0123456789abcdefn);
  assert.equal(sequenceNumber(Buffer.concat([hex("01 03 00 10"), HEAD, hex("00")]), 4), 0x0123456789abcdefn);
});

test("null for what is no such token, or not all there", () => {
  for (let length = 0; length < HEAD.length; length += 1)
    assert.equal(sequenceNumber(HEAD.subarray(0, length), 0), null);
  // RFC 1964, with the generic header; a MIC token; NTLM's signature.
  for (const head of ["60 3f 06 09 2a 86 48 86", "04 04 04 ff ff ff ff ff", "01 00 00 00 00 00 00 00"])
    assert.equal(sequenceNumber(Buffer.concat([hex(head), Buffer.alloc(32)]), 0), null);
});
