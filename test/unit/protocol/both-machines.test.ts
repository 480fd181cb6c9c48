// Server and client machine against each other, in memory: every level against every list, with octets cut at random.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ClientMethod } from "../../../src/protocol/client-state.js";
import { CMD } from "../../../src/protocol/constants.js";
import type { AgreedLevel, ProtectionLevel } from "../../../src/protocol/protection-level.js";
import { FakeClient, type FakeClientOptions } from "./fake-client.js";
import { FakeServer, type FakeServerOptions } from "./fake-server.js";

type Cut = (octets: Buffer) => Buffer[];

const whole: Cut = (octets) => [octets];

/** Carries octets to and fro until neither has any to send. */
function converse(clientOptions: FakeClientOptions, serverOptions: FakeServerOptions, cut: Cut = whole) {
  const client = new FakeClient(clientOptions);
  const server = new FakeServer(serverOptions);
  client.start();
  for (;;) {
    const up = client.takeSent();
    if (up.length > 0) for (const part of cut(up)) server.octets(part);
    const down = server.takeSent();
    if (down.length > 0) for (const part of cut(down)) client.octets(part);
    if (up.length + down.length === 0) return { client, server };
  }
}

const lists: AgreedLevel[][] = [
  ["none"],
  ["integrity"],
  ["confidentiality"],
  ["confidentiality", "integrity"],
  ["integrity", "confidentiality"],
  ["confidentiality", "integrity", "none"],
];

test("a client that takes every level ends at the server's choice, both at the same one", () => {
  const every: ProtectionLevel[] = ["none", "integrity", "confidentiality", "selective"];
  for (const offered of every) {
    for (const levels of lists) {
      for (const nec of [false, true]) {
        const { client, server } = converse(
          { levels: [offered, ...every.filter((level) => level !== offered)], nec },
          { levels, nec },
        );
        assert.equal(client.machine.state, "relaying");
        assert.equal(server.machine.state, "relaying");
        const agreed = server.log.find((line) => line.startsWith("protect"));
        assert.ok(agreed !== undefined && client.log.includes(agreed));
      }
    }
  }
});

test("a client that takes only what it offers goes on where that is allowed, and else closes", () => {
  for (const offered of ["none", "integrity", "confidentiality"] as const) {
    for (const levels of lists) {
      const { client } = converse({ levels: [offered] }, { levels });
      if (levels.includes(offered)) assert.equal(client.machine.state, "relaying");
      else assert.equal(client.refused?.error.code, "LEVEL_REFUSED");
    }
  }
});

test("a bare level meets a server that wants it wrapped", () => {
  const { client, server } = converse({ nec: true }, { nec: false });
  assert.equal(server.refused?.error.code, "NEC_NOT_ALLOWED");
  assert.equal(client.refused?.error.code, "LEVEL_REFUSED");
});

test("legs of every shape, octets cut anywhere", () => {
  const shapes: [client: (string | null)[], server: (string | null)[]][] = [
    [["c1", null], ["s1"]], // krb5, mutual: the acceptor's token is the last
    [["c1"], [null]], // krb5 without mutual authentication: an empty token ends it
    [
      ["c1", "c2"],
      ["s1", null],
    ], // krb5 with DCE style: the initiator's token is the last
    [
      ["c1", "c2", "c3", null],
      ["s1", "s2", "s3"],
    ],
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...shapes),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      ([clientTokens, serverTokens], sizes) => {
        const cut: Cut = (octets) => {
          const parts: Buffer[] = [];
          for (let at = 0; at < octets.length; ) {
            const size = sizes.next().value;
            parts.push(octets.subarray(at, at + size));
            at += size;
          }
          return parts;
        };
        const { client, server } = converse({ tokens: clientTokens }, { tokens: serverTokens }, cut);
        assert.equal(client.machine.state, "relaying");
        assert.equal(server.machine.state, "relaying");
        assert.deepEqual(client.log, converse({ tokens: clientTokens }, { tokens: serverTokens }).client.log);
      },
    ),
  );
});

test("every offer meets every list of METHODs: the server's choice, or none", () => {
  const numbers = { none: 0, gssapi: 1, password: 2 } as const;
  const methods = fc
    .shuffledSubarray(["gssapi", "password", "none"] as const, { minLength: 1 })
    .map((list) => list as [ClientMethod, ...ClientMethod[]]);
  const hops = fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined });
  const cmd = fc.constantFrom(CMD.CONNECT, CMD.BIND);
  fc.assert(
    fc.property(methods, methods, hops, cmd, fc.boolean(), (offered, allowed, hops, cmd, right) => {
      const credentials = { username: "alice", password: Buffer.from(right ? "secret" : "guess") };
      const { client, server } = converse(
        { methods: offered, credentials, cmd, ...(hops === undefined ? {} : { hops }) },
        { methods: allowed.map((method) => numbers[method]) },
      );
      const chosen = allowed.find((method) => offered.includes(method));
      if (chosen === undefined) assert.equal(client.refused?.error.code, "NO_ACCEPTABLE_METHOD");
      else if (chosen === "password" && !right)
        assert.equal(client.refused?.error.code, "AUTHENTICATION_REFUSED");
      else {
        assert.equal(client.machine.state, "relaying");
        assert.equal(client.log.includes("init"), chosen === "gssapi");
        assert.equal(client.log.includes("bound 192.0.2.9:40000"), cmd === CMD.BIND);
        assert.equal(client.log.at(-1), `relay ${cmd === CMD.BIND ? "198.51.100.7:20" : "192.0.2.9:40000"}`);
      }
      const marked = server.log[0]?.includes(String(0xe0 + (hops ?? 0)));
      assert.equal(marked, hops !== undefined);
    }),
  );
});

test("each REP of the server becomes the client's error", () => {
  for (let rep = 1; rep <= 8; rep += 1) {
    const { client, server } = converse({}, { rep });
    assert.equal(server.refused?.state, "deciding");
    assert.equal(client.refused?.error.rep, rep);
  }
});
