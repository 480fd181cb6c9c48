// The fuzz targets for a bounded number of runs, always the same ones; main.ts goes on for as long as one likes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CMD } from "../../src/protocol/constants.js";
import type { FakeClientOptions } from "../unit/protocol/fake-client.js";
import { fuzzCodecs } from "./codec-target.js";
import { corpus, type Transcript } from "./corpus.js";
import { fuzzClient, fuzzServer } from "./machine-targets.js";
import { PROPERTIES } from "./properties.js";
import { fuzzUdpDatagram } from "./udp-datagram-target.js";

const SEED = 1961;
const RUNS = 1500;

function replay(transcripts: Transcript[], target: (transcript: Transcript) => void): void {
  assert.ok(transcripts.length > 0);
  for (const transcript of transcripts) {
    try {
      target(transcript);
    } catch (error) {
      throw new Error(transcript.name, { cause: error });
    }
  }
}

test("the corpus, octet by octet", () => {
  replay(corpus("server"), ({ octets }) => {
    for (const nec of [false, true]) fuzzServer({ nec, levels: ["integrity", "none"] }, octets, [1]);
    fuzzCodecs(octets);
  });
  replay(corpus("client"), ({ octets }) => {
    const levels: FakeClientOptions["levels"] = ["confidentiality", "integrity"];
    const methods: FakeClientOptions["methods"] = ["gssapi", "password", "none"];
    const credentials = { username: "alice", password: Buffer.from("secret") };
    for (const cmd of [CMD.CONNECT, CMD.BIND]) {
      for (const nec of [false, true]) fuzzClient({ nec, levels, methods, credentials, cmd }, octets, [1]);
    }
    fuzzCodecs(octets);
  });
  replay(corpus("datagram"), ({ octets }) => fuzzUdpDatagram(octets));
  replay(corpus("ident"), ({ octets }) => fuzzCodecs(octets));
});

for (const [name, property] of Object.entries(PROPERTIES)) {
  test(`${name}: ${RUNS} runs`, () => {
    fc.assert(property, { seed: SEED, numRuns: RUNS });
  });
}
