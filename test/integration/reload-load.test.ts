/**
 * What is tested: 200 transfers that run through 50 reloads, in one process and in two. Each sends while each reload is
 * under way; none is lost, and what comes back is what was sent, octet by octet. Sessions that begin meanwhile are served.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect, type ProxyStream } from "../../src/index.js";
import { controlled } from "../support/controlled.js";
import { echo, Origin } from "../support/origin.js";
import { isSessionRecord, type LogLine } from "../support/proxy.js";
import { drink } from "../support/transfers.js";

const TRANSFERS = 200;
const RELOADS = 50;
/** Octets of each transfer while each reload is under way; together more than buffers on the way hold. */
const PART = 20_000;

/** What goes round, one part for each reload. */
class Transfer {
  readonly #stream: ProxyStream;
  readonly #sent = createHash("sha256");
  readonly #drunk: ReturnType<typeof drink>;
  #octets = 0;
  #back = 0;
  #wake = () => {};

  constructor(stream: ProxyStream) {
    this.#stream = stream;
    stream.on("data", (octets: Buffer) => {
      this.#back += octets.length;
      this.#wake();
    });
    stream.once("close", () => this.#wake());
    this.#drunk = drink(stream);
  }

  /** Fulfilled when all of it has come back. */
  async part(seed: string): Promise<void> {
    const octets = createHash("shake256", { outputLength: PART }).update(seed).digest();
    this.#sent.update(octets);
    this.#octets += octets.length;
    this.#stream.write(octets);
    while (this.#back < this.#octets) {
      assert.equal(this.#stream.destroyed, false, String(this.#stream.errored));
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async end(): Promise<void> {
    this.#stream.end();
    assert.deepEqual(await this.#drunk, { octets: this.#octets, sha256: this.#sent.digest("hex") });
  }
}

/** Each reload changes what can be changed, to and fro. */
function configuration(turn: number): Record<string, unknown> {
  const odd = turn % 2 === 1;
  return {
    rules: [...(odd ? [{ deny: { to: ["192.0.2.1"] } }] : []), { allow: { to: ["127.0.0.0/8"] } }],
    listeners: [{ address: "127.0.0.1:0", gssapi: { nec: odd } }, ...(odd ? [{ address: "[::1]:0" }] : [])],
    timeouts: { drain: "0s", handshake: odd ? "20s" : "30s" },
    limits: { sessions: 1000 + turn },
    log: { level: odd ? "debug" : "info" },
  };
}

for (const workers of [1, 2]) {
  test(`${TRANSFERS} transfers through ${RELOADS} reloads, workers: ${workers}`, async (context) => {
    const server = await controlled(context, { workers, ...configuration(0) });
    const { proxy } = server;
    const origin = await Origin.start(echo);
    context.after(() => origin.stop());
    const open = async () => {
      const destination = { host: "127.0.0.1", port: origin.port };
      return new Transfer(await connect({ proxy: { host: "127.0.0.1", port: proxy.port }, destination }));
    };
    const transfers = await Promise.all(Array.from({ length: TRANSFERS }, open));
    const reloaded = new Set<unknown>();
    const ended = new Map<unknown, LogLine>();
    /** Looks at each line that has come. */
    const told = (enough: () => boolean) =>
      proxy.waitForLog((line) => {
        if (line.msg === "reloaded") reloaded.add(line.time);
        if (isSessionRecord(line)) ended.set(line.session, line);
        return enough();
      });

    for (let turn = 1; turn <= RELOADS; turn += 1) {
      // Every fifth by a signal.
      const bySignal = async () => {
        await proxy.rewrite(configuration(turn));
        proxy.signal("SIGHUP");
        await told(() => reloaded.size === turn);
      };
      const one = async () => {
        const transfer = await open();
        await transfer.part(`one of turn ${turn}`);
        await transfer.end();
      };
      await Promise.all([
        turn % 5 === 0 ? bySignal() : server.reload(configuration(turn)),
        one(),
        ...transfers.map((transfer, index) => transfer.part(`${index} in turn ${turn}`)),
      ]);
    }

    assert.equal((await server.sessions()).length, TRANSFERS);
    await Promise.all(transfers.map((transfer) => transfer.end()));
    await told(() => ended.size === TRANSFERS + RELOADS && reloaded.size === RELOADS);
    const records = [...ended.values()];
    assert.deepEqual(
      records.filter(({ outcome }) => outcome !== "completed"),
      [],
    );
    const whole = records.filter(
      ({ bytesUp, bytesDown }) => bytesUp === RELOADS * PART && bytesDown === bytesUp,
    );
    assert.equal(whole.length, TRANSFERS);
  });
}
