/**
 * What is tested: the metrics of a server process after work that is known, as Prometheus' Python client reads them:
 * sessions by state, handshakes by method and outcome, failures by step and code, octets by direction and level, limits,
 * GSS-API failures by major status, decisions by rule, how long what took, each counted exactly; octets grow while a session runs and do not jump at its end; and
 * nobody's name or address is in any of it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { CMD, MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { CAROL, CommandClient, endpoint, type Way } from "../support/command-client.js";
import { metricsPort, scrape } from "../support/metrics.js";
import { echo, Origin } from "../support/origin.js";
import { attempt } from "../support/password-client.js";
import { usersFile } from "../support/passwords.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const CROWD = "127.0.0.2";
const LEVELS: Readonly<Record<Way, string>> = {
  confidentiality: "confidentiality",
  integrity: "integrity",
  password: "no-gssapi",
  "no authentication": "no-gssapi",
};

test("metrics after work that is known", async (t) => {
  const { proxy } = await proxiedRealm(t, async (realm) => ({
    listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "password", "none"] }],
    passwords: { file: await usersFile(realm.dir) },
    rules: [{ deny: { to: ["127.0.0.9"] } }, { allow: { to: ["127.0.0.0/8"] } }],
    limits: { perSource: { sessions: 3 } },
    metrics: { address: "127.0.0.1:0" },
    timeouts: { drain: "0s" },
  }));
  const port = await metricsPort(proxy);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const octets = (level: string) => ({
    up: { direction: "up", level },
    down: { direction: "down", level },
  });

  await t.test("all is there, at nought, before the first client", async () => {
    const idle = await scrape(port);
    for (const state of ["handshake", "request", "relay"])
      assert.equal(idle.value("gssocks_sessions", { state }), 0);
    for (const level of ["confidentiality", "integrity", "none", "no-gssapi"]) {
      assert.equal(idle.value("gssocks_bytes_total", octets(level).up), 0);
      assert.equal(idle.value("gssocks_frame_bytes_total", octets(level).down), 0);
    }
    assert.equal(idle.value("gssocks_limit_hits_total", { limit: "limits.perSource.sessions" }), 0);
    assert.deepEqual(idle.counts("gssocks_handshakes_total"), {});
  });

  const carried: Record<string, { plain: number; up: number; down: number }> = {};
  for (const [way, count] of [
    ["confidentiality", 50_000],
    ["integrity", 30_000],
    ["password", 200],
    ["no authentication", 70_000],
  ] as const) {
    await t.test(`octets of a session that runs, and of one that has ended: ${way}`, async () => {
      const level = LEVELS[way];
      const before = carried[level] ?? { plain: 0, up: 0, down: 0 };
      const client = await CommandClient.ready(proxy, way);
      t.after(() => client.close());
      assert.equal((await client.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port))).rep, 0);
      client.send(Buffer.alloc(count, way));
      await client.read(count);
      const plain = before.plain + count;
      const sum = { plain, up: before.up + client.sealed.up, down: before.down + client.sealed.down };
      for (const when of ["running", "ended"]) {
        const seen = await scrape(port);
        assert.equal(seen.value("gssocks_sessions", { state: "relay" }), when === "running" ? 1 : 0, when);
        const { up, down } = octets(level);
        assert.equal(seen.value("gssocks_bytes_total", up), plain, when);
        assert.equal(seen.value("gssocks_bytes_total", down), plain, when);
        assert.equal(seen.value("gssocks_frame_bytes_total", up), sum.up, when);
        assert.equal(seen.value("gssocks_frame_bytes_total", down), sum.down, when);
        client.raw.socket.end();
        await proxy.audit((each) => each.client === client.address);
      }
      carried[level] = sum;
    });
  }

  await t.test("clients that are refused, and sessions that fail", async () => {
    for (const host of ["127.0.0.9", "192.0.2.1"]) {
      const client = await RawClient.ready(proxy);
      assert.equal(await client.request(host, 80), 2);
      await client.farewell();
      client.close();
    }
    const forged = await RawClient.connect(proxy.port);
    await forged.selectMethod();
    forged.send(encodeGssapiMessage(MTYP.AUTHENTICATION, Buffer.from("not a ticket")));
    assert.deepEqual([...(await forged.farewell()).octets], [0x01, 0xff]);
    forged.close();
    const wrong = await attempt(proxy, { name: CAROL.name, password: "wrong" });
    await wrong.farewell();
    wrong.close();
    const tampered = await RawClient.through(proxy, origin);
    const frame = tampered.seal(Buffer.from("hello"));
    frame.writeUInt8(frame.readUInt8(frame.length - 1) ^ 1, frame.length - 1);
    tampered.send(frame);
    assert.equal((await tampered.farewell()).how, "reset");
    tampered.close();
    for (const { address } of [forged, wrong, tampered]) await proxy.audit((each) => each.client === address);
  });

  await t.test("one too many from a source", async () => {
    const crowd: RawClient[] = [];
    for (let each = 0; each < 3; each += 1)
      crowd.push(await RawClient.connect(proxy.port, "127.0.0.1", CROWD));
    const extra = connect({ port: proxy.port, host: "127.0.0.1", localAddress: CROWD });
    const [{ code }] = (await once(extra.resume(), "close").catch((error) => [error])) as [{ code: string }];
    assert.equal(code, "ECONNRESET");
    assert.equal((await scrape(port)).value("gssocks_sessions", { state: "handshake" }), 3);
    for (const client of crowd) client.vanish();
    for (const { address } of crowd) await proxy.audit((each) => each.client === address);
  });

  const seen = await scrape(port);
  await t.test("handshakes", () => {
    assert.deepEqual(seen.counts("gssocks_handshakes_total"), {
      "gssapi completed": 5,
      "password completed": 1,
      "none completed": 1,
      "gssapi failed": 1,
      "password denied": 1,
      "unknown failed": 3,
    });
  });

  await t.test("sessions", () => {
    assert.deepEqual(seen.counts("gssocks_sessions"), {});
    assert.deepEqual(seen.counts("gssocks_sessions_opened_total"), { [`127.0.0.1:${proxy.port}`]: 12 });
    assert.deepEqual(seen.counts("gssocks_sessions_closed_total"), { completed: 4, denied: 3, failed: 5 });
    assert.deepEqual(seen.counts("gssocks_session_failures_total"), {
      "reply RULE_DENIED": 2,
      "context establishment BAD_TOKEN": 1,
      "user/password authentication BAD_PASSWORD": 1,
      "relay BAD_TOKEN": 1,
      "method selection CONNECTION_LOST": 3,
    });
  });

  await t.test("GSS-API failures and limits", () => {
    assert.deepEqual(seen.counts("gssocks_gss_failures_total"), {
      GSS_S_FAILURE: 1,
      GSS_S_BAD_SIG: 1,
    });
    assert.deepEqual(seen.counts("gssocks_limit_hits_total"), { "limits.perSource.sessions": 1 });
  });

  await t.test("decisions", () => {
    assert.deepEqual(seen.counts("gssocks_decisions_total"), { "deny 1": 1, "deny none": 1, "allow 2": 5 });
    assert.equal(seen.value("gssocks_audit_records_dropped_total"), 0);
  });

  await t.test("how long each part took", () => {
    const count = (phase: string) => seen.value("gssocks_phase_duration_seconds_count", { phase });
    // All 7 that were let in have these, 5 of them a context, and 5 came to relay.
    for (const [phase, times] of [
      ["method", 7],
      ["authentication", 7],
      ["level", 5],
      ["request", 7],
      ["decision", 5],
      ["connect", 5],
      ["tls", null],
      ["dns", null],
      ["relay", null],
    ] as const) {
      assert.equal(count(phase), times, phase);
    }
    assert.ok((seen.value("gssocks_phase_duration_seconds_sum", { phase: "authentication" }) ?? 0) > 0);
  });

  await t.test("octets, as the audit records have them", () => {
    const records = proxy.audits();
    const sum = (key: string, level: string) =>
      records
        .filter((record) => (record.level ?? "no-gssapi") === level)
        .reduce((total, record) => total + Number(record[key]), 0);
    for (const level of ["confidentiality", "integrity", "none", "no-gssapi"]) {
      const { up, down } = octets(level);
      assert.equal(seen.value("gssocks_bytes_total", up), sum("bytesUp", level));
      assert.equal(seen.value("gssocks_bytes_total", down), sum("bytesDown", level));
      assert.equal(seen.value("gssocks_frame_bytes_total", up), sum("sealedUp", level));
      assert.equal(seen.value("gssocks_frame_bytes_total", down), sum("sealedDown", level));
    }
  });

  await t.test("the process", () => {
    assert.ok((seen.value("process_resident_memory_bytes") ?? 0) > 1e7);
    assert.ok((seen.value("process_cpu_seconds_total") ?? 0) > 0.01);
    assert.ok((seen.value("gssocks_event_loop_delay_seconds_count") ?? 0) > 0);
  });

  await t.test("nobody is named", () => {
    const text = JSON.stringify(seen.families);
    for (const name of ["alice", "EXAMPLE.TEST", CAROL.name, CROWD, "192.0.2.1", "127.0.0.9"])
      assert.ok(!text.includes(name), name);
  });
});
