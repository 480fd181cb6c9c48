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

export class UdpUpstreams {
  readonly #open: OpenChannel;
  readonly #message: (data: Buffer, from: Endpoint, upstream: string) => void;
  readonly #channels = new Map<string, DatagramChannel>();
  readonly #opening = new Map<string, Promise<void>>();
  #closed = false;

  /** @param message told of what each of them sends */
  constructor(open: OpenChannel, message: (data: Buffer, from: Endpoint, upstream: string) => void) {
    this.#open = open;
    this.#message = message;
  }

  /** Sees to it that there is one. @throws GssocksError */
  ensure(upstream: string): Promise<void> {
    if (this.#channels.has(upstream)) return Promise.resolve();
    const opening = this.#opening.get(upstream) ?? this.#begin(upstream);
    this.#opening.set(upstream, opening);
    return opening;
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
    try {
      const channel = await this.#open(upstream, heard);
      if (this.#closed) channel.close();
      else if (!over) this.#channels.set(upstream, channel);
    } finally {
      this.#opening.delete(upstream);
    }
  }
}
