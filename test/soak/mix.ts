/**
 * All that clients do, at once and as fast as the machine lets them: transfers of all sizes at every level by our own
 * client, compared octet for octet, one in five cut; and by the benchmarks' client sessions opened and ended, messages
 * there and back, octets down and up as fast as they go, datagrams, and sessions whose client is killed.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Lab, LEVELS, type Level, type Service } from "../bench/support/lab.js";
import { pick, type Random, randomFrom } from "../support/random.js";
import { carryOut, chosenCut, PLAN_LEVELS, type TransferPlan } from "../support/transfer-plan.js";

const LARGEST = 8_000_000;
/** Transfers at a time. */
const TRANSFERS = 8;
/** More than is carried before it is killed. */
const ENDLESS = 1e15;

export class Mix {
  /** Sessions. */
  begun = 0;
  /** Transfers that arrived as they were sent; and those that were cut and of which nothing else arrived. */
  whole = 0;
  cut = 0;
  #carried = 0;
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #block: Buffer;

  constructor(lab: Lab, seed: number) {
    this.#lab = lab;
    this.#random = randomFrom(seed);
    this.#block = createHash("shake256", { outputLength: 2 * LARGEST })
      .update(`${seed}`)
      .digest();
  }

  /** Until `goes` tells otherwise; then to the end of what was begun. */
  async run(goes: () => boolean): Promise<void> {
    let failed = false;
    const again = async (work: () => Promise<void>) => {
      try {
        while (goes() && !failed) await work();
      } catch (error) {
        failed = true;
        throw error;
      }
    };
    const kinds = [
      () => this.#load("handshakes", "bye", { connections: 8, count: 400 }, 400),
      () => this.#load("echo", "echo", { count: 5000, seconds: 5, size: 1 + this.#random(8192) }, 1),
      () => this.#load("bulk-down", "source", { connections: 4, bytes: 64e6 }, 4),
      () => this.#load("bulk-up", "sink", { connections: 4, bytes: 32e6, size: this.#messageSize() }, 4),
      () => this.#load("udp", "udp", { count: 2000, size: 1 + this.#random(1200) }, 1),
      () => this.#killed(),
      ...Array.from({ length: TRANSFERS }, () => () => this.#transfer()),
    ];
    const ended = await Promise.allSettled(kinds.map(again));
    for (const each of ended) if (each.status === "rejected") throw each.reason;
  }

  done(): string {
    const carried = (this.#carried / 1e9).toFixed(2);
    return `${this.begun} sessions, ${this.whole} transfers whole, ${this.cut} cut, ${carried} GB`;
  }

  /** As large as a token can be, or some other size. */
  #messageSize(): number {
    return pick(this.#random, [0, 1 + this.#random(30_000)]);
  }

  async #load(
    mode: string,
    to: Service,
    work: Readonly<Record<string, number>>,
    sessions: number,
  ): Promise<void> {
    const level: Level = pick(this.#random, LEVELS);
    this.begun += sessions;
    await this.#lab.measure(mode, this.#lab.gssocks, level, to, work);
    this.#carried += mode.startsWith("bulk") ? (work.bytes ?? 0) : 0;
  }

  async #killed(): Promise<void> {
    const work = { connections: 4, bytes: ENDLESS };
    this.begun += work.connections;
    const level = pick(this.#random, LEVELS);
    const load = await this.#lab.prepare("bulk-down", this.#lab.gssocks, level, "source", work);
    load?.begin();
    // Anywhere within.
    await delay(this.#random(300));
    await load?.stop();
  }

  async #transfer(): Promise<void> {
    const plan = this.#plan();
    this.begun += 1;
    const { client, destination } = await carryOut(plan, { ports: this.#lab.ports, fastPath: true });
    const { up, down, cut } = plan;
    if (cut === null) {
      if (client?.received !== down.length || destination?.received !== up.length)
        throw new Error(
          `${destination?.received} of ${up.length} octets up, ${client?.received} of ${down.length} down`,
        );
      this.whole += 1;
    } else {
      this.cut += 1;
    }
    this.#carried += (client?.received ?? 0) + (destination?.received ?? 0);
  }

  #plan(): TransferPlan {
    const random = this.#random;
    // Many are small, some are large.
    const octets = (least: number) => {
      const size = least + random(pick(random, [1, 1000, 100_000, LARGEST - least]));
      const at = random(this.#block.length - size);
      return this.#block.subarray(at, at + size);
    };
    const cuts = random(5) === 0;
    const [up, down] = [octets(cuts ? 20_000 : 0), octets(cuts ? 20_000 : 0)];
    const most = pick(random, [5000, 70_000, LARGEST]);
    return {
      ...{ level: pick(random, PLAN_LEVELS), up, down, chunk: () => 1 + random(most) },
      cut: cuts ? chosenCut(random, up.length, down.length) : null,
    };
  }
}
