/**
 * A network that loses, doubles, reorders and replays, between a client and a relay: it takes a batch of datagrams, then
 * sends on what it likes, in the order it likes. It knows what a receiver has to take, and what for it has to drop.
 */
import type { TestContext } from "node:test";
import type { Endpoint } from "../../../src/protocol/address.js";
import { type Random, randomFrom } from "../../support/random.js";
import { Peer } from "../relay/datagram-peers.js";

/** How far back a receiver can tell a late datagram from a replayed one. */
const WINDOW = 64;

/** What was done to one direction, and what its receiver makes of it. */
export class Direction {
  readonly counts = { lost: 0, new: 0, duplicate: 0, old: 0, late: 0 };
  readonly #random: Random;
  readonly #all: Buffer[] = [];
  readonly #taken = new Set<number>();
  #newest = -1;
  /** Numbers of datagrams that come with the next batch. */
  #held: number[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Carries a batch; returns how many of what was sent the receiver has to take. */
  async carry(from: Peer, count: number, send: (datagram: Buffer) => Promise<void>): Promise<number> {
    const order = this.#held;
    this.#held = [];
    for (let received = 0; received < count; received += 1) {
      this.#all.push((await from.next()).data);
      const number = this.#all.length - 1;
      const chance = this.#random(100);
      if (chance < 4) this.counts.lost += 1;
      else if (chance < 8) this.#held.push(number);
      else order.push(number);
      if (chance >= 90) order.push(number);
      if (chance === 50) order.push(this.#random(number + 1));
    }
    const before = this.counts.new;
    for (const number of this.#shuffled(order)) {
      this.#judge(number);
      await send(this.#all[number] as Buffer);
    }
    return this.counts.new - before;
  }

  #judge(number: number): void {
    const { counts } = this;
    if (this.#newest - number >= WINDOW) counts.old += 1;
    else if (this.#taken.has(number)) counts.duplicate += 1;
    else {
      if (number < this.#newest) counts.late += 1;
      counts.new += 1;
      this.#taken.add(number);
      this.#newest = Math.max(this.#newest, number);
    }
  }

  /** Fisher and Yates. */
  #shuffled(order: number[]): number[] {
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = this.#random(last + 1);
      [order[last], order[other]] = [order[other] as number, order[last] as number];
    }
    return order;
  }
}

export class Shuffler {
  readonly up: Direction;
  readonly down: Direction;
  readonly #front: Peer;
  readonly #back: Peer;
  #client: Endpoint | null = null;

  private constructor(front: Peer, back: Peer, random: Random) {
    this.#front = front;
    this.#back = back;
    this.up = new Direction(random);
    this.down = new Direction(random);
  }

  static async start(test: TestContext, seed: number): Promise<Shuffler> {
    return new Shuffler(await Peer.bind(test), await Peer.bind(test), randomFrom(seed));
  }

  /** What the client takes for the relay. */
  get endpoint(): Endpoint {
    return this.#front.endpoint;
  }

  /** One datagram, untouched. */
  async passUp(relay: Endpoint): Promise<number> {
    const { data, from } = await this.#front.next();
    this.#client = from;
    await this.#back.send(data, relay);
    return 1;
  }

  /** One datagram, untouched; the client has to have sent one. */
  async passDown(): Promise<number> {
    await this.#front.send((await this.#back.next()).data, this.#client as Endpoint);
    return 1;
  }

  carryUp(count: number, relay: Endpoint): Promise<number> {
    return this.up.carry(this.#front, count, (datagram) => this.#back.send(datagram, relay));
  }

  carryDown(count: number): Promise<number> {
    const client = this.#client as Endpoint;
    return this.down.carry(this.#back, count, (datagram) => this.#front.send(datagram, client));
  }
}
