import { PeerError } from "../errors.js";

const FIRST_CAPACITY = 512;

/**
 * Octets received and not yet parsed. It never holds more than `limit` octets: a peer that sends more before it is
 * its turn is at fault. Growth doubles, so octets that arrive one at a time cost no more than a constant each.
 */
export class ReceiveBuffer {
  readonly #limit: number;
  #storage: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** @param limit octets held at most */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Holds these octets, a whole datagram, without copying them; nothing can be appended. */
  static of(octets: Buffer): ReceiveBuffer {
    const received = new ReceiveBuffer(octets.length);
    received.#storage = octets;
    received.#end = octets.length;
    return received;
  }

  /** Octets held. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** @throws PeerError (TOO_MUCH_DATA) where the limit would be passed; nothing is taken then */
  append(octets: Uint8Array): void {
    const length = this.length + octets.length;
    if (length > this.#limit) {
      throw new PeerError("TOO_MUCH_DATA", `more than ${this.#limit} octets sent before they were asked for`);
    }
    if (this.#end + octets.length > this.#storage.length) this.#makeRoom(length);
    this.#storage.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** The octet at `index`, which must be below `length`. */
  octet(index: number): number {
    return this.#storage.readUInt8(this.#start + index);
  }

  /** The big-endian pair of octets at `index`; both must be held. */
  uint16(index: number): number {
    return this.#storage.readUInt16BE(this.#start + index);
  }

  /** The octets `[start, end)`, all of them held, in memory of their own. */
  peek(start: number, end: number): Buffer {
    return Buffer.from(this.#storage.subarray(this.#start + start, this.#start + end));
  }

  /** Removes and returns the first `count` octets, in memory of their own. */
  take(count: number): Buffer {
    const octets = Buffer.from(this.#storage.subarray(this.#start, this.#start + count));
    this.#start += count;
    if (this.#start === this.#end) this.#clear();
    return octets;
  }

  /** As {@link take}, and no copy of the octets stays here. */
  takeSecret(count: number): Buffer {
    const source = this.#storage.subarray(this.#start, this.#start + count);
    const octets = this.take(count);
    source.fill(0);
    return octets;
  }

  /** Removes and returns everything. */
  takeAll(): Buffer {
    return this.take(this.length);
  }

  #makeRoom(length: number): void {
    if (length <= this.#storage.length) {
      this.#storage.copyWithin(0, this.#start, this.#end).fill(0, this.length, this.#end);
    } else {
      const capacity = Math.min(this.#limit, Math.max(FIRST_CAPACITY, this.#storage.length * 2, length));
      const storage = Buffer.allocUnsafeSlow(capacity);
      this.#storage.copy(storage, 0, this.#start, this.#end);
      this.#storage.fill(0);
      this.#storage = storage;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** An emptied buffer gives its memory back: a session at rest holds none. */
  #clear(): void {
    this.#storage = Buffer.alloc(0);
    this.#start = 0;
    this.#end = 0;
  }
}
