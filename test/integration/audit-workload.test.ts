/**
 * What is tested: the audit trail of a random workload, reconstructed from its file and compared with what the clients
 * did: each client's session, each decision about it, octets and REP, with no record missing, none too many and none
 * without its number, while the file is rotated by SIGUSR1; in a network of the test's own.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import type { WrittenAuditRecord } from "../../src/observability/audit-schema.js";
import { formatEndpoint } from "../../src/protocol/address.js";
import { CMD, REP } from "../../src/protocol/constants.js";
import { assertNoHoles, auditFile, ofType } from "../support/audit.js";
import { CAROL, CommandClient, Datagrams, endpoint, type Way } from "../support/command-client.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { usersFile } from "../support/passwords.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const [ALLOWED, DENIED] = ["192.0.2.10", "192.0.2.66"] as const;

const NETWORK = {
  ip: [ALLOWED, DENIED].map((address) => `addr add ${address}/32 dev lo`),
  hosts: {
    "allowed.example.test": [ALLOWED],
    "denied.example.test": [DENIED],
    "both.example.test": [DENIED, ALLOWED],
  },
};

const SESSIONS = 150;
const AT_ONCE = 6;

type Decided = [destination: string, decision: string | null, code: string | null, rule: number | null];

/** What a client did, as its records have to tell. */
interface Deeds {
  client: string;
  method: string | null;
  principal: string | null;
  level: string | null;
  command: string | null;
  destination: string | null;
  outcome: string;
  code: string | null;
  rep: number | null;
  bytesUp: number;
  bytesDown: number;
  decisions: Decided[];
}

const NOTHING: Omit<Deeds, "client"> = {
  method: null,
  principal: null,
  level: null,
  command: null,
  destination: null,
  outcome: "completed",
  code: null,
  rep: null,
  bytesUp: 0,
  bytesDown: 0,
  decisions: [],
};

const WAYS: readonly Way[] = ["integrity", "confidentiality", "password"];

/** The same numbers for the same seed. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  /** 0 to `sides` - 1. */
  roll(sides: number): number {
    // A linear congruential generator; its upper bits are the better ones.
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * sides);
  }
  of<T>(list: readonly T[]): T {
    return list[this.roll(list.length)] as T;
  }
}

class Workload {
  readonly #test: TestContext;
  readonly #proxy: { port: number };
  readonly #dice: Dice;
  readonly #port: number;
  readonly #echoes: Peer;
  #nobodies = 0;

  constructor(test: TestContext, proxy: { port: number }, dice: Dice, port: number, echoes: Peer) {
    this.#test = test;
    this.#proxy = proxy;
    this.#dice = dice;
    this.#port = port;
    this.#echoes = echoes;
  }

  one(): Promise<Deeds> {
    const deeds = [
      this.#relays,
      this.#relays,
      this.#vanishes,
      this.#isDenied,
      this.#findsNobody,
      this.#binds,
    ];
    return this.#dice
      .of([...deeds, this.#associates, this.#associates, this.#isNobody, this.#talksNonsense])
      .call(this);
  }

  async #ready() {
    const way = this.#dice.of(WAYS);
    const client = await CommandClient.ready(this.#proxy, way);
    this.#test.after(() => client.close());
    const who =
      way === "password"
        ? { method: "password", principal: CAROL.name, level: null }
        : { method: "gssapi", principal: "alice@EXAMPLE.TEST", level: way };
    return { client, deeds: { ...NOTHING, ...who, client: client.address, rep: REP.SUCCEEDED } };
  }

  async #connected() {
    const { client, deeds } = await this.#ready();
    const [host, allowed] = this.#dice.of([
      [ALLOWED, 2],
      ["allowed.example.test", 2],
      // Its first address is denied, so the second one is dialed.
      ["both.example.test", 2],
    ] as const);
    const dst = endpoint(host, this.#port);
    assert.equal((await client.ask(CMD.CONNECT, dst)).rep, REP.SUCCEEDED);
    const destination = formatEndpoint(dst);
    const decisions: Decided[] = [[destination, "allow", null, allowed]];
    return { client, deeds: { ...deeds, command: "connect", destination, decisions } };
  }

  async #relays(): Promise<Deeds> {
    const { client, deeds } = await this.#connected();
    const octets = Buffer.alloc(this.#dice.roll(100_000), 0x61);
    client.send(octets);
    client.raw.socket.end();
    assert.equal((await client.readToEnd()).length, octets.length);
    return { ...deeds, bytesUp: octets.length, bytesDown: octets.length };
  }

  async #vanishes(): Promise<Deeds> {
    const { client, deeds } = await this.#connected();
    const octets = Buffer.alloc(1 + this.#dice.roll(1000), 0x62);
    client.send(octets);
    await client.read(octets.length);
    client.raw.vanish();
    const many = { bytesUp: octets.length, bytesDown: octets.length };
    return { ...deeds, ...many, outcome: "failed", code: "CONNECTION_LOST" };
  }

  async #isDenied(): Promise<Deeds> {
    const { client, deeds } = await this.#ready();
    const [host, rule] = this.#dice.of([
      [DENIED, 1],
      ["denied.example.test", 1],
      ["127.0.0.1", null],
      ["www.bank.test", 1],
    ] as const);
    const dst = endpoint(host, this.#port);
    assert.equal((await client.ask(CMD.CONNECT, dst)).rep, REP.NOT_ALLOWED);
    const destination = formatEndpoint(dst);
    const decisions: Decided[] = [[destination, "deny", "RULE_DENIED", rule]];
    const end = { outcome: "denied", code: "RULE_DENIED", rep: REP.NOT_ALLOWED };
    return { ...deeds, ...end, command: "connect", destination, decisions };
  }

  async #findsNobody(): Promise<Deeds> {
    const { client, deeds } = await this.#ready();
    const exists = this.#dice.roll(2) === 0;
    const dst = endpoint(exists ? ALLOWED : "nobody.example.test", 9);
    const [rep, code] = exists
      ? [REP.CONNECTION_REFUSED, "DESTINATION_REFUSED"]
      : [REP.HOST_UNREACHABLE, "NAME_NOT_FOUND"];
    assert.equal((await client.ask(CMD.CONNECT, dst)).rep, rep);
    const destination = formatEndpoint(dst);
    const decisions: Decided[] = [exists ? [destination, "allow", null, 2] : [destination, null, code, null]];
    return { ...deeds, command: "connect", destination, outcome: "failed", code, rep, decisions };
  }

  async #binds(): Promise<Deeds> {
    const { client, deeds } = await this.#ready();
    const dst = endpoint(ALLOWED, 20);
    assert.equal((await client.ask(CMD.BIND, dst)).rep, REP.COMMAND_NOT_SUPPORTED);
    const destination = formatEndpoint(dst);
    const end = { outcome: "denied", code: "COMMAND_NOT_ALLOWED", rep: REP.COMMAND_NOT_SUPPORTED };
    const decisions: Decided[] = [[destination, "deny", "COMMAND_NOT_ALLOWED", null]];
    return { ...deeds, ...end, command: "bind", destination, decisions };
  }

  async #associates(): Promise<Deeds> {
    const { client, deeds } = await this.#ready();
    const announced = endpoint("0.0.0.0", 0);
    const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, announced);
    assert.equal(rep, REP.SUCCEEDED);
    const datagrams = new Datagrams(client, await Peer.bind(this.#test), bnd);
    const decisions: Decided[] = [[formatEndpoint(announced), "allow", null, null]];
    let octets = 0;
    for (let rounds = 1 + this.#dice.roll(4); rounds > 0; rounds -= 1) {
      const denied = endpoint(DENIED, 1 + this.#dice.roll(3));
      await datagrams.send(denied, Buffer.from("refused"));
      tell(decisions, [formatEndpoint(denied), "deny", "RULE_DENIED", 1]);
      const allowed = this.#echoes.endpoint;
      const data = Buffer.alloc(1 + this.#dice.roll(1000), 0x63);
      await datagrams.send(allowed, data);
      assert.deepEqual((await datagrams.next()).data, data);
      tell(decisions, [formatEndpoint(allowed), "allow", null, 2]);
      octets += data.length;
    }
    client.raw.socket.end();
    await client.readToEnd();
    const destination = formatEndpoint(announced);
    return { ...deeds, command: "udp-associate", destination, bytesUp: octets, bytesDown: octets, decisions };
  }

  async #isNobody(): Promise<Deeds> {
    // Each from somewhere else, or they would be made to wait.
    this.#nobodies += 1;
    const raw = await RawClient.connect(this.#proxy.port, "127.0.0.1", `127.0.1.${this.#nobodies}`);
    this.#test.after(() => raw.close());
    raw.send(0x05, 0x01, 0x02);
    await raw.read(2);
    const name = Buffer.from(`nobody-${this.#nobodies}`);
    raw.send(0x01, name.length, name, 0x05, Buffer.from("wrong"));
    assert.equal((await raw.read(2)).toString("hex"), "0101");
    await raw.farewell();
    return { ...NOTHING, client: raw.address, outcome: "denied", code: "BAD_PASSWORD" };
  }

  async #talksNonsense(): Promise<Deeds> {
    const raw = await RawClient.connect(this.#proxy.port);
    this.#test.after(() => raw.close());
    raw.send(Buffer.from("GET / HTTP/1.0\r\n\r\n"));
    await raw.farewell();
    return { ...NOTHING, client: raw.address, outcome: "failed", code: "BAD_VERSION" };
  }
}

/** Of an association each destination is told of once. */
function tell(decisions: Decided[], decided: Decided): void {
  if (!decisions.some(([destination]) => destination === decided[0])) decisions.push(decided);
}

/** The same, from the records. */
function reconstruct(records: readonly WrittenAuditRecord[]): Deeds[] {
  const decisions = ofType(records, "decision");
  return ofType(records, "session").map((record) => {
    const { client, method, principal, level, command, destination } = record;
    const { outcome, code, rep, bytesUp, bytesDown } = record;
    const own = decisions.filter(({ session }) => session === record.session);
    for (const each of own) {
      assert.ok(each.seq < record.seq, "a decision comes before the session's end");
      assert.deepEqual(
        [each.client, each.method, each.principal, each.level, each.command, each.untold],
        [client, method, principal, level, command, 0],
      );
    }
    const spent = Object.values(record.phases).reduce<number>((sum, phase) => sum + (phase ?? 0), 0);
    assert.ok(Math.abs(spent - record.duration) < 0.001, "each moment is in one phase");
    return {
      ...{ client, method, principal, level, command, destination, outcome, code, rep, bytesUp, bytesDown },
      decisions: own.map(
        ({ destination, decision, code, rule }): Decided => [destination ?? "", decision, code, rule],
      ),
    };
  });
}

const byClient = (a: Deeds, b: Deeds) => (a.client < b.client ? -1 : 1);

inNetworkNamespace(import.meta.url, NETWORK, () => {
  for (const workers of [1, 3])
    test(`the trail tells what the clients did, ${workers} processes`, async (t) => {
      const seed = Number(process.env.AUDIT_SEED ?? randomInt(2 ** 32 - 1));
      t.diagnostic(`AUDIT_SEED=${seed}`);
      let directory = "";
      const { proxy } = await proxiedRealm(t, async (realm) => {
        directory = path.join(realm.dir, "audit");
        mkdirSync(directory);
        return {
          listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "password"] }],
          passwords: { file: await usersFile(realm.dir) },
          commands: ["connect", "udp-associate"],
          workers,
          rules: [{ deny: { to: [DENIED, "*.bank.test"] } }, { allow: {} }],
          audit: { file: path.join(directory, "audit.9") },
        };
      });
      const origin = await Origin.start(echo, ALLOWED);
      t.after(() => origin.stop());
      const echoes = await Peer.bind(t, ALLOWED);
      echoes.socket.on("message", (data, { address, port }) => echoes.socket.send(data, port, address));

      const workload = new Workload(t, proxy, new Dice(seed), origin.port, echoes);
      const deeds: Deeds[] = [];
      let begun = 0;
      const several = Array.from({ length: AT_ONCE }, async () => {
        while (begun < SESSIONS) {
          begun += 1;
          deeds.push(await workload.one());
          if (deeds.length % 50 !== 0) continue;
          renameSync(path.join(directory, "audit.9"), path.join(directory, `audit.${deeds.length / 50}`));
          proxy.signal("SIGUSR1");
        }
      });
      await Promise.all(several);
      proxy.signal("SIGTERM");
      assert.deepEqual(await proxy.exited, { code: 0, signal: null });

      const files = readdirSync(directory).sort();
      assert.deepEqual(files, ["audit.1", "audit.2", "audit.3", "audit.9"]);
      const records = files.flatMap((file) => auditFile(path.join(directory, file)));
      assertNoHoles(records);
      assert.deepEqual([records[0]?.type, records.at(-1)?.type], ["start", "stop"]);
      assert.deepEqual(reconstruct(records).sort(byClient), deeds.sort(byClient), `AUDIT_SEED=${seed}`);
      assert.deepEqual(proxy.audits(), [], "none in the log");
      const processes = new Set(ofType(records, "session").map(({ worker }) => worker));
      assert.equal(processes.size, workers, [...processes].join());
      assert.ok(!proxy.logs().includes("Debugger"), "SIGUSR1 opens no debugger");
    });
});
