/**
 * What is tested: protected destinations, end to end, in a network namespace in which something listens at each of them.
 * `allow: {}` opens none, nor do the widest networks and names, whichever way the client writes the address and whatever
 * a name resolves to; a rule whose `to` names one does.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { assertRefused } from "../support/refused.js";

const ORIGIN = 8000;
/** Ports of the proxy's listeners: on every address, and on 127.0.0.1. */
const WILDCARD = 1080;
const LOOPBACK = 1081;

const NETWORK = {
  ip: [
    "addr add 192.0.2.10/32 dev lo",
    "addr add 2001:db8::10/128 dev lo",
    "addr add 169.254.169.254/32 dev lo",
    "addr add fd00:ec2::254/128 dev lo",
    // As if a translator were there.
    "addr add 64:ff9b::7f00:1/128 dev lo",
  ],
  hosts: {
    "rebound.example.test": ["127.0.0.1"],
    "rebound6.example.test": ["::1"],
    "metadata.example.test": ["169.254.169.254"],
    "proxy.example.test": ["192.0.2.10"],
    "mixed.example.test": ["127.0.0.1", "192.0.2.10"],
  },
};

const LISTENERS = [{ address: `*:${WILDCARD}` }, { address: `127.0.0.1:${LOOPBACK}` }];

interface Row {
  /** What `to` must say. */
  named: string;
  /** In the words of the log. */
  kind: string;
  /** What the audit record calls it, without the port, and ATYP and DST.ADDR: in hex, but names as they are. */
  sent: readonly [destination: string, ...octets: string[]][];
  port?: number;
  /** Where a rule names it; 0x03 for what no TCP connection can reach. */
  rep?: number;
}

const TABLE: readonly Row[] = [
  { named: "localhost", kind: "loopback", sent: [["localhost", "03 localhost"]] },
  {
    named: "127.0.0.0/8",
    kind: "loopback",
    sent: [
      [
        "127.0.0.1",
        "01 7f000001",
        "04 00000000000000000000ffff7f000001",
        "03 127.0.0.1",
        "03 ::ffff:127.0.0.1",
      ],
      ["127.255.255.254", "01 7ffffffe"],
      // What getaddrinfo takes for addresses.
      ["127.1", "03 127.1"],
      ["2130706433", "03 2130706433"],
      ["0x7f.1", "03 0x7f.1"],
      ["rebound.example.test", "03 rebound.example.test"],
    ],
  },
  {
    named: "::1",
    kind: "loopback",
    sent: [
      ["[::1]", "04 00000000000000000000000000000001", "03 ::1"],
      ["rebound6.example.test", "03 rebound6.example.test"],
    ],
  },
  {
    named: "64:ff9b::7f00:1",
    kind: "loopback",
    sent: [["[64:ff9b::7f00:1]", "04 0064ff9b00000000000000007f000001"]],
  },
  {
    named: "169.254.169.254",
    kind: "link-local",
    sent: [
      ["169.254.169.254", "01 a9fea9fe", "04 00000000000000000000ffffa9fea9fe"],
      ["metadata.example.test", "03 metadata.example.test"],
    ],
  },
  {
    named: "fd00:ec2::254",
    kind: "cloud metadata",
    sent: [["[fd00:ec2::254]", "04 fd000ec2000000000000000000000254"]],
  },
  {
    named: "fe80::/64",
    kind: "link-local",
    sent: [["[fe80::10]", "04 fe800000000000000000000000000010"]],
    rep: 0x03,
  },
  { named: "224.0.0.0/4", kind: "multicast", sent: [["224.0.0.1", "01 e0000001"]], rep: 0x03 },
  {
    named: "ff00::/8",
    kind: "multicast",
    sent: [["[ff02::1]", "04 ff020000000000000000000000000001"]],
    rep: 0x03,
  },
  { named: "255.255.255.255", kind: "broadcast", sent: [["255.255.255.255", "01 ffffffff"]], rep: 0x03 },
  {
    named: "0.0.0.0",
    kind: "unspecified",
    sent: [["0.0.0.0", "01 00000000", "04 00000000000000000000ffff00000000"]],
  },
  { named: "::", kind: "unspecified", sent: [["[::]", "04 00000000000000000000000000000000"]] },
  {
    named: `192.0.2.10:${WILDCARD}`,
    kind: "own listener",
    sent: [
      ["192.0.2.10", "01 c000020a", "04 00000000000000000000ffffc000020a"],
      ["proxy.example.test", "03 proxy.example.test"],
    ],
    port: WILDCARD,
  },
  {
    named: `[2001:db8::10]:${WILDCARD}`,
    kind: "own listener",
    sent: [["[2001:db8::10]", "04 20010db8000000000000000000000010"]],
    port: WILDCARD,
  },
  {
    named: `0.0.0.0:${WILDCARD}`,
    kind: "own listener",
    sent: [["0.0.0.0", "01 00000000"]],
    port: WILDCARD,
  },
  {
    named: `127.0.0.1:${LOOPBACK}`,
    kind: "own listener",
    sent: [
      ["127.0.0.1", "01 7f000001", "04 00000000000000000000ffff7f000001"],
      ["rebound.example.test", "03 rebound.example.test"],
    ],
    port: LOOPBACK,
  },
];

/** A CONNECT in hex. */
function request(octets: string, port: number): string {
  const [atyp, rest = ""] = octets.split(" ");
  const address = atyp === "03" ? `${hex(rest.length, 1)}${Buffer.from(rest).toString("hex")}` : rest;
  return `050100${atyp}${address}${hex(port, 2)}`;
}

const hex = (value: number, octets: number) => value.toString(16).padStart(2 * octets, "0");

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("no rule opens a protected destination that it does not name", async (t) => {
    const wide = { to: ["0.0.0.0/0", "::/0", "*.example.test"] };
    const { proxy } = await proxiedRealm(t, {
      listeners: LISTENERS,
      rules: [{ allow: wide }, { allow: {} }],
    });
    const origin = await Origin.start(echo, "::", ORIGIN);
    t.after(() => origin.stop());

    for (const { kind, sent, port = ORIGIN } of TABLE) {
      for (const [destination, ...forms] of sent) {
        for (const octets of forms) {
          await t.test(`${destination}:${port}, sent as ${octets}`, () =>
            assertRefused(proxy, {
              request: request(octets, port),
              rep: 0x02,
              code: "RULE_DENIED",
              destination: `${destination}:${port}`,
              outcome: "denied",
              reason: new RegExp(` is denied: protected destination: ${kind}; a rule's \`to\` must name it$`),
            }),
          );
        }
      }
    }
    assert.equal(origin.sockets.length, 0);

    await t.test("and opens the others; of a name, its other address", async () => {
      for (const host of ["192.0.2.10", "proxy.example.test", "mixed.example.test"]) {
        const client = await RawClient.through(proxy, { host, port: ORIGIN });
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.address, record.rule], [`192.0.2.10:${ORIGIN}`, 1]);
        client.close();
      }
    });
  });

  test("a rule that names a protected destination opens it", async (t) => {
    const rules = TABLE.map(({ named }) => ({ allow: { to: [named] } }));
    const { proxy } = await proxiedRealm(t, { listeners: LISTENERS, rules });
    const origin = await Origin.start(echo, "::", ORIGIN);
    t.after(() => origin.stop());

    for (const [index, { named, sent, port = ORIGIN, rep = 0x00 }] of TABLE.entries()) {
      for (const [, ...forms] of sent) {
        for (const octets of forms) {
          await t.test(`${named}, sent as ${octets}`, async () => {
            const client = await RawClient.ready(proxy);
            const reply = await client.ask(Buffer.from(request(octets, port), "hex"));
            assert.equal(reply[1], rep);
            if (rep === 0x00) {
              // The origin gives back what it gets; a listener of ours selects the method.
              client.send(client.seal(Buffer.from([0x05, 0x01, 0x01])));
              const answer = port === ORIGIN ? "050101" : "0501";
              assert.equal((await client.openOctets(answer.length / 2)).toString("hex"), answer);
            }
            client.close();
            const record = await proxy.audit((each) => each.client === client.address);
            if (rep === 0x00) assert.equal(record.rule, index + 1);
          });
        }
      }
    }
  });
});
