// The server process against a client that shares no code with it: Debian's python3-gssapi, a UDP association under each
// level and enctype, and what a client may send that has to be dropped.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ENCTYPES } from "../support/enctypes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";
import { pythonUdpInitiator, type UdpInitiatorJob, type UdpInitiatorResult } from "../support/python.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const LEVELS = ["none", "integrity", "confidentiality"] as const;
const [COUNT, SIZE] = [10, 1400];

/** Sends back what comes. */
async function echo(test: TestContext, host: string): Promise<readonly [host: string, port: number]> {
  const { socket } = await Peer.bind(test, host);
  socket.on("message", (data, { address, port }) => socket.send(data, port, address));
  return [host, socket.address().port];
}

for (const enctype of ENCTYPES) {
  test(`a UDP association of python3-gssapi's: ${enctype}`, async (t) => {
    const config = { gssapi: { protectionLevels: ["confidentiality", "integrity", "none"] } };
    const { proxy, realm } = await proxiedRealm(t, config, { enctypes: [enctype] });
    const targets = [await echo(t, "127.0.0.1"), await echo(t, "127.0.0.2"), await echo(t, "::1")];
    const relayed = COUNT * targets.length;
    const seen = new Set<unknown>();

    /** Runs the client, and waits for what the proxy writes down of it. */
    async function run(
      job: Partial<UdpInitiatorJob>,
    ): Promise<{ result: UdpInitiatorResult; closed: LogLine }> {
      const defaults: UdpInitiatorJob = {
        proxy: ["127.0.0.1", proxy.port],
        targets,
        count: COUNT,
        size: SIZE,
      };
      const result = await pythonUdpInitiator({ ...defaults, ...job }, realm.env);
      assert.equal(result.error, undefined, result.stage);
      assert.deepEqual([result.rep, result.closed], [0, true]);
      assert.deepEqual(
        result.answers,
        targets.map(([host, port]) => [host, port, COUNT]),
      );
      const record = await proxy.audit(({ session }) => !seen.has(session));
      seen.add(record.session);
      const { principal, level, outcome, bytesUp, bytesDown } = record;
      assert.deepEqual(
        { principal, level, outcome, bytesUp, bytesDown },
        {
          principal: "alice@EXAMPLE.TEST",
          level: LEVELS[result.agreed ?? 0],
          outcome: "completed",
          bytesUp: relayed * SIZE,
          bytesDown: relayed * SIZE,
        },
      );
      const closed = await proxy.waitForLog(
        ({ msg, session }) => msg === "association closed" && session === record.session,
      );
      assert.deepEqual([closed.datagramsUp, closed.datagramsDown], [relayed, relayed]);
      return { result, closed };
    }

    for (const [level, name] of LEVELS.entries()) {
      await t.test(`level ${name}`, async () => {
        const { result, closed } = await run({ level });
        assert.equal(result.agreed, level);
        assert.deepEqual(closed.dropped, {});
      });
    }

    const table: [misbehave: NonNullable<UdpInitiatorJob["misbehave"]>, dropped: string][] = [
      ["replay", "duplicate"],
      ["fragment", "fragment"],
      ["clear", "malformed"],
      ["tamper", "bad-token"],
      ["integrity-only", "not-confidential"],
    ];
    for (const [misbehave, dropped] of table) {
      await t.test(`${misbehave} is dropped, the good ones go on`, async () => {
        const { closed } = await run({ level: 2, misbehave });
        assert.deepEqual(closed.dropped, { [dropped]: relayed });
      });
    }
  });
}
