/** The associations that one of ours has with other proxies, for the destinations that those are to send to. */
import type { Endpoint } from "../protocol/address.js";

/** A destination that another proxy sends to. */
export interface Elsewhere {
  /** The upstream's name. */
  readonly upstream: string;
  /** What it is asked for. */
  readonly dst: Endpoint;
}

/** An association with another proxy. */
export interface DatagramChannel {
  /** What can't be sent is dropped. */
  send(data: Buffer, dst: Endpoint): void;
  /** Idempotent. */
  close(): void;
}

export interface Heard {
  message(data: Buffer, from: Endpoint): void;
  /** It has ended, whoever ended it. */
  closed(): void;
}

/** @throws GssocksError */
export type OpenChannel = (upstream: string, heard: Heard) => Promise<DatagramChannel>;

/** How long one is not asked for again, in ms: a client's datagrams come faster than a proxy that fails should hear of it. */
export const ASKED_FOR = 5_000;

export class UdpUpstreams {
  readonly #open: OpenChannel;
  readonly #message: (data: Buffer, from: Endpoint, upstream: string) => void;
  readonly #channels = new Map<string, DatagramChannel>();
  /** What came of asking for each, or will, and until when that holds. */
  readonly #asked = new Map<string, { opening: Promise<void>; until: number }>();
  readonly #clock: () => number;
  #closed = false;

  /**
   * @param message told of what each of them sends
   * @param clock milliseconds
   */
  constructor(
    open: OpenChannel,
    message: (data: Buffer, from: Endpoint, upstream: string) => void,
    clock: () => number = () => performance.now(),
  ) {
    this.#open = open;
    this.#message = message;
    this.#clock = clock;
  }

  /** Sees to it that there is one, unless it was just asked for: then as it came out. @throws GssocksError */
  ensure(upstream: string): Promise<void> {
    if (this.#channels.has(upstream)) return Promise.resolve();
    const asked = this.#asked.get(upstream);
    if (asked !== undefined && this.#clock() < asked.until) return asked.opening;
    const asks = { opening: this.#begin(upstream), until: Infinity };
    this.#asked.set(upstream, asks);
    asks.opening = asks.opening.finally(() => {
      asks.until = this.#clock() + ASKED_FOR;
    });
    return asks.opening;
  }

  /** @returns whether there is one to send it */
  send({ upstream, dst }: Elsewhere, data: Buffer): boolean {
    const channel = this.#channels.get(upstream);
    channel?.send(data, dst);
    return channel !== undefined;
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }

  async #begin(upstream: string): Promise<void> {
    let over = false;
    const heard: Heard = {
      message: (data, from) => {
        if (!this.#closed) this.#message(data, from, upstream);
      },
      closed: () => {
        over = true;
        this.#channels.delete(upstream);
      },
    };
    const channel = await this.#open(upstream, heard);
    if (this.#closed) channel.close();
    else if (!over) this.#channels.set(upstream, channel);
  }
}
