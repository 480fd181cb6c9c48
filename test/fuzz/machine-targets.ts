/**
 * The machines against octets that nobody thought of. The property: effects in an order that the driver can carry out,
 * or a refusal that blames the peer; the same however the octets are cut; never more held than the limit.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { GssError, PeerError, PolicyError } from "../../src/errors.js";
import type { ClientMethod } from "../../src/protocol/client-state.js";
import { CMD } from "../../src/protocol/constants.js";
import type { AgreedLevel } from "../../src/protocol/protection-level.js";
import { FakeClient, type FakeClientOptions } from "../unit/protocol/fake-client.js";
import { FakeServer, type FakeServerOptions } from "../unit/protocol/fake-server.js";
import { cut } from "./mutations.js";

/** What a machine may hold: a whole message of 64 KiB and a read behind it. */
const MAX_HELD = 2 * 65536 + 1024;

const AGREED: readonly AgreedLevel[] = ["confidentiality", "integrity", "none"];

/** Mostly what the corpus' transcripts were made for, so that the later states are reached. */
const mostly = <T>(usual: T, others: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 3 }, { arbitrary: others, weight: 1 });

const token = fc.constantFrom("token", "", "x".repeat(300));

export const serverOptions: fc.Arbitrary<FakeServerOptions> = fc.record({
  methods: mostly<number[]>([1, 2, 0], fc.constantFrom([1], [2], [0, 1], [1, 2])),
  socks4: fc.boolean(),
  nec: fc.boolean(),
  tokens: mostly(["token"], fc.array(fc.option(token), { minLength: 1, maxLength: 4 })),
  levels: mostly([...AGREED], fc.shuffledSubarray([...AGREED])),
  rep: mostly(0, fc.constantFrom(1, 2, 5, 8)),
});

export const clientOptions: fc.Arbitrary<FakeClientOptions> = fc.record({
  cmd: mostly<number>(CMD.CONNECT, fc.constant(CMD.BIND)),
  methods: mostly<[ClientMethod, ...ClientMethod[]]>(
    ["gssapi"],
    fc.constantFrom(["none"], ["password"], ["gssapi", "password", "none"]),
  ),
  credentials: fc.constant({ username: "alice", password: Buffer.from("secret") }),
  nec: fc.boolean(),
  // An initiator has a token to send while it is not complete.
  tokens: mostly(
    ["token", null],
    fc.tuple(fc.array(token, { maxLength: 3 }), fc.option(token)).map(([first, last]) => [...first, last]),
  ),
  levels: mostly<AgreedLevel[]>([...AGREED], fc.shuffledSubarray([...AGREED], { minLength: 1 })).map(
    (levels) => levels as [AgreedLevel, ...AgreedLevel[]],
  ),
});

export function fuzzServer(options: FakeServerOptions, octets: Buffer, sizes: readonly number[]): void {
  const whole = new FakeServer(options);
  whole.octets(octets);
  const slow = new FakeServer(options);
  for (const part of cut(octets, sizes)) {
    slow.octets(part);
    assert.ok(slow.machine.buffered <= MAX_HELD);
  }
  compare(whole, slow);
  assertServerOrder(whole, options);
  // A client goes on: an end at any point is an end or a refusal too.
  slow.feed({ type: "ended" });
  assert.ok(slow.machine.state === "relaying" || slow.machine.state === "closed");
  assertServerOrder(slow, options);
}

export function fuzzClient(options: FakeClientOptions, octets: Buffer, sizes: readonly number[]): void {
  const whole = new FakeClient(options);
  whole.start();
  whole.octets(octets);
  const slow = new FakeClient(options);
  slow.start();
  for (const part of cut(octets, sizes)) slow.octets(part);
  compare(whole, slow);
  assertClientOrder(whole, options);
  slow.feed({ type: "ended" });
  assert.ok(slow.machine.state === "relaying" || slow.machine.state === "closed");
}

/** Of the methods that were offered, one was gone through; a BIND was bound before anybody came. */
function assertClientOrder(client: FakeClient, { methods = ["gssapi"], cmd }: FakeClientOptions): void {
  const bound = cmd === CMD.BIND ? ["bound"] : [];
  const { log } = client;
  const other = log.find((line) => line.startsWith("method "))?.slice("method ".length);
  if (other !== undefined) assert.ok(methods.includes(other as ClientMethod));
  else if (log.includes("init")) assert.ok(methods.includes("gssapi"));
  const way = other === undefined ? ["init", "seal-level", "protect"] : ["method"];
  assertOrder(client, [...way, ...bound, "relay"]);
}

type Machine = FakeServer | FakeClient;

function compare(whole: Machine, slow: Machine): void {
  assert.deepEqual(slow.log, whole.log);
  assert.deepEqual(slow.relayed, whole.relayed);
  assert.equal(slow.machine.state, whole.machine.state);
}

/** Every way to the data, and no other: nobody gets to a request past the method that was selected for them. */
function assertServerOrder(server: FakeServer, options: FakeServerOptions): void {
  const { methods = [1], socks4 = false } = options;
  const ways = [
    ...(methods.includes(1) ? [["methods", "accept", "open-level", "seal-level", "protect"]] : []),
    ...(methods.includes(1) && options.nec ? [["methods", "accept", "seal-level", "protect"]] : []),
    ...(methods.includes(2) ? [["methods", "verify"]] : []),
    ...(methods.includes(0) ? [["methods"]] : []),
    ...(socks4 ? [[]] : []),
  ].flatMap((way) => ["relay", "associate"].map((end) => [...way, "request", end]));
  const steps = stepsOf(server, new Set(ways.flat()));
  if (steps.length === 1 && steps[0] === "methods") return assertOrder(server, ["methods"]);
  const way = ways.find((each) => steps.every((step, index) => step === each[index]));
  assert.ok(way !== undefined, `no way: ${steps.join(" ")}`);
  assertOrder(server, way);
}

function stepsOf({ log }: Machine, among: ReadonlySet<string>): string[] {
  return [...new Set(log.map((line) => line.split(" ")[0] as string))].filter((kind) => among.has(kind));
}

/** Each of these at most once (init: at first), none before the one ahead of it; a refusal last, and with its cause. */
function assertOrder({ log, refused, machine }: Machine, order: readonly string[]): void {
  const kinds = log.map((line) => line.split(" ")[0] as string);
  const steps = stepsOf({ log } as Machine, new Set(order));
  assert.deepEqual(steps, order.slice(0, steps.length));
  for (const kind of [
    "methods",
    "method",
    "bound",
    "verify",
    "seal-level",
    "protect",
    "request",
    "relay",
    "associate",
    "refuse",
  ]) {
    assert.ok(kinds.filter((each) => each === kind).length <= 1, `${kind} once at most`);
  }
  assert.equal(machine.state === "closed", refused !== null);
  assert.equal(kinds.includes("refuse"), refused !== null);
  if (refused === null) return;
  assert.equal(kinds.at(-1), "refuse");
  const { error } = refused;
  assert.ok(
    error instanceof PeerError || error instanceof PolicyError || error instanceof GssError || isRep(error),
  );
  assert.ok(error.message.length < 2048, "a peer does not write our log");
  assert.doesNotMatch(error.message, controls, "nor its lines");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
const controls = /[\x00-\x1f\x7f-\x9f]/;

/** The client takes REP 3 to 6 for the network's fault, and any REP of BIND's second reply. */
function isRep(error: { code: string; rep: number }): boolean {
  if (error.code === "NOBODY_CONNECTED") return error.rep > 0;
  return error.code === "DESTINATION_REFUSED" && error.rep >= 3 && error.rep <= 6;
}
