import { availableParallelism } from "node:os";
import type { FastContext } from "./fast-context.js";
import { MOST_HELD, native, RELAY_ENDS, type RelayCounts, type RelayEnded } from "./native.js";
import type { Rate } from "./rate.js";

export interface NativeRelayOptions {
  /** Descriptors of TCP sockets, which are copied: close yours afterwards, without a shutdown. */
  client: number;
  destination: number;
  /** Where what goes to the destination is written, if elsewhere: /dev/null takes its place in this process. */
  output?: number;
  /** Protects what passes between us and the client, and is the relay's from then on; null where nothing does. */
  protection: { context: FastContext; conf: boolean; confRequired: boolean } | null;
  /** Written first, as they are. */
  toClient: Buffer;
  toDestination: Buffer;
  /** Read already. */
  fromClient: Buffer;
  fromDestination: Buffer;
  /** Each bounds what comes from the client, or from the destination. */
  upRates?: readonly Rate[] | undefined;
  downRates?: readonly Rate[] | undefined;
}

export interface RelayOutcome {
  end: (typeof RELAY_ENDS)[number];
  /** At fault. */
  side: "client" | "destination";
  /** errno, the major status, or the octets of a bad frame. */
  detail: number;
  /** What the addon says of a fault of its own. */
  text: string;
}

/** Octets carried. */
export interface RelayCarried {
  up: number;
  down: number;
  sealedUp: number;
  sealedDown: number;
  /** When octets were last carried, by `process.hrtime` in ms. */
  active: number;
}

/** By the relay's number. Not a Map, for what `server/open-list` says of a Set. */
const ends: Record<number, RelayEnded> = {};
let open = false;

/** For sessions that carry bulk; the others have half as many. */
const MOST_THREADS = 8;
let threads = Math.min(availableParallelism(), MOST_THREADS);

/** @param processes that share this machine's cores with us; to be told before the first relay */
export function shareCores(processes: number): void {
  threads = Math.max(1, Math.min(Math.floor(availableParallelism() / processes), MOST_THREADS));
}

function opened(): boolean {
  open ||= native.openRelays?.(threads, (id, ...rest) => ends[id]?.(id, ...rest)) ?? false;
  return open;
}

/** Two sockets joined on a thread of the addon, until both have ended. */
export class NativeRelay {
  /** Never rejects. */
  readonly done: Promise<RelayOutcome>;
  readonly #id: number;
  #last: RelayCounts | null = null;

  /**
   * @returns null where there are no such threads here, no descriptors left, or more octets there already than such a
   *   thread takes: nothing was done then
   */
  static start(options: NativeRelayOptions): NativeRelay | null {
    const { client, destination, protection, toClient, toDestination } = options;
    const { fromClient, fromDestination, output = destination } = options;
    const { upRates = [], downRates = [] } = options;
    const held = [toClient, toDestination, fromClient, fromDestination];
    if (held.some(({ length }) => length > MOST_HELD) || !opened()) return null;
    const id = native.startRelay(
      client,
      destination,
      protection?.context.handle ?? null,
      protection?.conf ?? false,
      protection?.confRequired ?? false,
      toClient,
      toDestination,
      fromClient,
      fromDestination,
      output,
      upRates.map(({ handle }) => handle),
      downRates.map(({ handle }) => handle),
    );
    return id === 0 ? null : new NativeRelay(id);
  }

  private constructor(id: number) {
    this.#id = id;
    this.done = new Promise((resolve) => {
      ends[id] = (_, end, side, detail, text, counts) => {
        delete ends[id];
        this.#last = counts;
        resolve({
          end: RELAY_ENDS[end] ?? "fault",
          side: side === 0 ? "client" : "destination",
          detail,
          text,
        });
      };
    });
  }

  /** Up to now. */
  get carried(): RelayCarried {
    const counts = this.#last ?? native.relayCounts(this.#id);
    const [up = 0, down = 0, sealedUp = 0, sealedDown = 0, active = 0] = counts ?? [];
    return { up, down, sealedUp, sealedDown, active };
  }

  /** Cuts both sides off; `done` tells when that is so. */
  abort(): void {
    native.abortRelay(this.#id);
  }
}
