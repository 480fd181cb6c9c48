/**
 * What is tested: the reply (RFC 1928 §6) to every kind of request, sealed at level confidentiality, with the log line
 * and the audit record. REP 0x03, and 0x04 and 0x06 of a real network, are in replies-unreachable.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { assertRefused, type Refusal } from "../support/refused.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

const port = (number: number) => number.toString(16).padStart(4, "0");
const name = (text: string) =>
  `03 ${text.length.toString(16).padStart(2, "0")} ${Buffer.from(text).toString("hex")}`;

const RULES = [
  { deny: { to: ["127.0.0.9", "*.bank.test"] } },
  { allow: { to: ["127.0.0.1", "localhost"] } },
  { allow: {} },
];

/** Commands that are not served: CMD, and what the audit record calls it. */
const UNSERVED: readonly [cmd: string, command: string][] = [
  ["00", "0x00"],
  ["04", "0x04"],
  ["ff", "0xff"],
];

test("replies", async (t) => {
  const { proxy, realm } = await proxiedRealm(t, { rules: RULES });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const gone = await Origin.start(() => {});
  const closed = gone.port;
  await gone.stop();

  for (const host of ["127.0.0.1", "localhost"]) {
    await t.test(`0x00, succeeded, with BND.ADDR: ${host}`, async () => {
      const client = await RawClient.ready(proxy);
      const reply = await client.ask(connectRequest(host, origin.port));
      const { remotePort: bound } = await origin.next();
      assert.equal(reply.toString("hex"), `050000017f000001${port(bound as number)}`);
      client.send(client.seal(Buffer.from("hello")));
      assert.equal((await client.openOctets(5)).toString(), "hello");
      client.socket.end();
      const record = await proxy.audit((each) => each.client === client.address);
      const { command, destination, address, rule, outcome, level } = record;
      assert.deepEqual(
        { command, destination, address, rule, outcome, level },
        {
          command: "connect",
          destination: `${host}:${origin.port}`,
          address: `127.0.0.1:${origin.port}`,
          rule: 2,
          outcome: "completed",
          level: "confidentiality",
        },
      );
      const line = await proxy.waitForLog(
        (each) => each.msg === "connected" && each.client === client.address,
      );
      assert.deepEqual([line.address, line.bound], [record.address, `127.0.0.1:${bound}`]);
      client.close();
    });
  }

  const unread = { rep: 0x01, command: null };
  const refusals: Record<string, Refusal> = {
    "0x01, general failure: a version that is not SOCKS5's": {
      ...unread,
      request: `04 01 00 01 7f000001 ${port(origin.port)}`,
      code: "BAD_VERSION",
      reason: /VER is 0x04, expected 0x05/,
    },
    "0x01, general failure: a name with a space": {
      ...unread,
      request: `05 01 00 ${name("local host")} 0050`,
      code: "BAD_DOMAIN_NAME",
      reason: /not a host name: "local host"/,
    },
    "0x01, general failure: a name with a control octet, which the log shows escaped": {
      ...unread,
      request: `05 01 00 ${name("local\u001b[2Jhost")} 0050`,
      code: "BAD_DOMAIN_NAME",
      reason: /^not a host name: "local\\u001b\[2Jhost"$/,
    },
    "0x01, general failure: an empty name": {
      ...unread,
      request: "05 01 00 03 00 0050",
      code: "BAD_DOMAIN_NAME",
      reason: /not a host name: ""/,
    },
    "0x02, not allowed: a rule on addresses": {
      request: `05 01 00 01 7f000009 ${port(origin.port)}`,
      rep: 0x02,
      destination: `127.0.0.9:${origin.port}`,
      outcome: "denied",
      rule: 1,
      code: "RULE_DENIED",
      reason: /: rule 1 denies 127\.0\.0\.9$/,
    },
    "0x02, not allowed: a rule on names, which nobody looks up": {
      request: `05 01 00 ${name("www.bank.test")} 01bb`,
      rep: 0x02,
      destination: "www.bank.test:443",
      outcome: "denied",
      rule: 1,
      code: "RULE_DENIED",
      reason: /: rule 1 denies \*\.bank\.test$/,
    },
    "0x02, not allowed: a protected destination": {
      request: `05 01 00 01 7f000002 ${port(origin.port)}`,
      rep: 0x02,
      destination: `127.0.0.2:${origin.port}`,
      outcome: "denied",
      code: "RULE_DENIED",
      reason: /: protected destination: loopback; a rule's `to` must name it$/,
    },
    "0x05, refused": {
      request: `05 01 00 01 7f000001 ${port(closed)}`,
      rep: 0x05,
      destination: `127.0.0.1:${closed}`,
      rule: 2,
      code: "DESTINATION_REFUSED",
      reason: /^127\.0\.0\.1 port \d+: connection refused \(ECONNREFUSED\)$/,
    },
    "0x05, refused: port 0": {
      request: "05 01 00 01 7f000001 0000",
      rep: 0x05,
      destination: "127.0.0.1:0",
      rule: 2,
      code: "DESTINATION_REFUSED",
      reason: /port 0: connection refused/,
    },
    // The request goes on behind what can't be read; nothing of it is.
    "0x08, address type not supported: 0x02": {
      request: `05 01 00 02 7f000001 ${port(origin.port)}`,
      rep: 0x08,
      command: null,
      code: "ADDRESS_TYPE_UNSUPPORTED",
      reason: /address type 0x02 is not supported/,
    },
    "0x08, address type not supported: 0xff": {
      request: "05 01 00 ff",
      rep: 0x08,
      command: null,
      code: "ADDRESS_TYPE_UNSUPPORTED",
      reason: /address type 0xff is not supported/,
    },
  };
  for (const [cmd, command] of UNSERVED) {
    refusals[`0x07, command not supported: 0x${cmd}`] = {
      request: `05 ${cmd} 00 01 7f000001 ${port(origin.port)}`,
      rep: 0x07,
      command,
      destination: `127.0.0.1:${origin.port}`,
      code: "COMMAND_UNSUPPORTED",
      reason: new RegExp(`^the command ${command} is not supported$`),
    };
  }
  for (const [what, refusal] of Object.entries(refusals))
    await t.test(what, () => assertRefused(proxy, refusal));
  assert.equal(origin.sockets.length, 2, "of all these requests only the first two reached the destination");

  await t.test("0x07, commands that the configuration leaves out", async (t) => {
    const few = await ProxyServer.start(realm, { rules: RULES, commands: ["connect"] });
    t.after(() => few.stop());
    for (const [cmd, command] of [
      ["02", "bind"],
      ["03", "udp-associate"],
    ] as const) {
      await assertRefused(few, {
        request: `05 ${cmd} 00 01 7f000001 ${port(origin.port)}`,
        rep: 0x07,
        command,
        destination: `127.0.0.1:${origin.port}`,
        outcome: "denied",
        code: "COMMAND_NOT_ALLOWED",
        reason: new RegExp(`^the command ${command} is not allowed \\(commands\\)$`),
      });
    }
  });

  await t.test("0x02, not allowed: nothing matches", async (t) => {
    const closed = await ProxyServer.start(realm, { rules: [{ allow: { to: ["192.0.2.0/24"] } }] });
    t.after(() => closed.stop());
    await assertRefused(closed, {
      request: "05 01 00 01 cb007101 0050",
      rep: 0x02,
      destination: "203.0.113.1:80",
      outcome: "denied",
      code: "RULE_DENIED",
      reason: /203\.0\.113\.1:80 is denied: no rule matches$/,
    });
  });

  await t.test("0x06, TTL expired: the destination does not answer in time", async (t) => {
    const hasty = await ProxyServer.start(realm, { timeouts: { connect: "300ms" } });
    t.after(() => hasty.stop());
    const silent = await UnacceptingOrigin.start();
    t.after(() => silent.stop());
    await assertRefused(hasty, {
      request: `05 01 00 01 7f000001 ${port(silent.port)}`,
      rep: 0x06,
      destination: `127.0.0.1:${silent.port}`,
      rule: 1,
      code: "CONNECT_TIMEOUT",
      reason: /^the destination did not answer within 0\.3 s$/,
    });
  });
});
