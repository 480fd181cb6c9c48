/**
 * A server of several processes. The workers accept and serve, all on the same sockets; the primary holds those and what
 * counts across connections, writes the log for all, and puts another worker in the place of one that died.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import type { AuditRecords, Observer } from "../observability/events.js";
import type { MetricsSum } from "../observability/metrics-sum.js";
import { IdentdSocket, type IdentdSocketOptions } from "../server/identd-socket.js";
import { Listener, type ListenerAddress, type ListeningSocket } from "../server/listener.js";
import type { FindOwner } from "../server/outgoing.js";
import { localCounts } from "../server/shared-counts.js";
import { collectMetrics, notHealthy, notReady } from "./answers.js";
import type { WorkerSetup } from "./calls.js";
import type { LineSink } from "./line-relay.js";
import { WorkerProcess } from "./worker-process.js";

export interface PrimaryOptions {
  workers: number;
  /** Throws what would keep a worker from serving. */
  check(): Promise<void>;
  listeners: readonly ListenerAddress[];
  /** Where `gssocks identd` asks us; null for nowhere. */
  identd: IdentdSocketOptions | null;
  /** What each worker reads the rest of the configuration from. */
  setup: Omit<WorkerSetup, "sockets" | "ownListeners" | "workers">;
  /** Of this process, protected destinations for the workers. */
  ownListeners(): Listener["bound"][];
  /** Told what workers count, and which of them are no more; null where nobody counts. */
  metrics: MetricsSum | null;
  /** Begins a worker process that has these descriptors, its standard output a pipe. */
  fork(descriptors: readonly number[]): ChildProcess;
}

/** One that dies within this time has died early; in ms. */
const EARLY = 10_000;
const LONGEST_PAUSE = 60_000;
/** What a worker has beyond its drain time, in ms; one that does not answer any more is killed then. */
const GRACE = 10_000;
/** setTimeout takes no more than 2^31 - 1 ms. */
const MAX_TIMER = 2 ** 31 - 1;

export class Primary {
  readonly #options: PrimaryOptions;
  readonly #observer: Observer;
  readonly #parts: ConstructorParameters<typeof WorkerProcess>[2];
  readonly #workers = new Set<WorkerProcess>();
  /** Those of them that have started. */
  readonly #serving = new Set<WorkerProcess>();
  #sockets: ListeningSocket[] = [];
  #identd: IdentdSocket | null = null;
  #stopping = false;

  /**
   * @param lines where the workers' log goes
   * @param trail where their audit records go
   */
  constructor(options: PrimaryOptions, observer: Observer, lines: LineSink, trail: AuditRecords) {
    this.#options = options;
    this.#observer = observer;
    this.#parts = { counts: localCounts(), lines, trail };
    trail.watch((state) => {
      for (const worker of this.#workers) worker.auditState(state);
    });
  }

  /** @throws what the check throws, NetworkError (CANNOT_LISTEN, WORKER_FAILED); nothing stays open then, and no worker */
  async start(): Promise<void> {
    const { listeners, identd, workers } = this.#options;
    await this.#options.check();
    try {
      if (identd !== null) this.#identd = await IdentdSocket.open(identd, this.#findOwner);
      const bound: { address: string; port: number }[] = [];
      for (const address of listeners) {
        const listener = await Listener.open(address, (socket) => socket.destroy());
        bound.push({ address: String(listener), port: listener.bound.port });
        this.#sockets.push(listener.keep());
      }
      await Promise.all(Array.from({ length: workers }, () => this.#launch(0)));
      for (const each of bound) this.#observer({ type: "listening", ...each });
    } catch (error) {
      this.#stopping = true;
      for (const worker of this.#workers) worker.kill();
      await this.#allEnded();
      this.#close();
      throw error;
    }
  }

  /** @param early how many workers in a row have died early before this one */
  async #launch(early: number): Promise<void> {
    const descriptors = this.#sockets.map(({ descriptor }) => descriptor);
    const ownListeners = this.#options.ownListeners();
    const { setup: file, workers } = this.#options;
    const setup = { ...file, workers, sockets: this.#sockets, ownListeners };
    const worker = new WorkerProcess(this.#options.fork(descriptors), setup, this.#parts);
    this.#workers.add(worker);
    const began = performance.now();
    void worker.ended.then((end) => {
      this.#workers.delete(worker);
      this.#serving.delete(worker);
      this.#options.metrics?.departed(worker.pid);
      if (this.#stopping && end.code === 0) return;
      const next = performance.now() - began < EARLY ? early + 1 : 0;
      const pause = this.#stopping ? null : pauseBefore(next);
      this.#observer({ type: "worker-died", worker: worker.pid, ...end, pause });
      if (pause !== null) this.#launchLater(next, pause);
    });
    await worker.ready;
    this.#serving.add(worker);
    this.#observer({ type: "worker-started", worker: worker.pid });
  }

  #launchLater(early: number, pause: number): void {
    setTimeout(() => {
      if (this.#stopping) return;
      // It ends then, and is followed by another.
      this.#launch(early).catch(({ message }: Error) => this.#observer({ type: "warning", reason: message }));
    }, pause);
  }

  async notReady(): Promise<string[]> {
    return this.#stopping ? ["the server is draining"] : notReady([...this.#serving]);
  }

  notHealthy(): Promise<string[]> {
    return notHealthy([...this.#serving]);
  }

  collectMetrics(sum: MetricsSum): Promise<void> {
    return collectMetrics([...this.#serving], sum);
  }

  readonly #findOwner: FindOwner = (local, remote) => {
    const asked = [...this.#workers].map(async (worker) => {
      const owner = await worker.findOwner(local, remote);
      if (owner === null) throw new Error("none of its connections");
      return owner;
    });
    return Promise.any(asked).catch(() => null);
  };

  /**
   * Has the workers take no further connections and let the open sessions end.
   * @param drain milliseconds the sessions have
   */
  async stop(drain: number): Promise<void> {
    this.#stopping = true;
    this.#closeSockets();
    this.#killAfter(drain + GRACE);
    const sessions = await Promise.all([...this.#workers].map((worker) => worker.stop(drain)));
    this.#observer({ type: "draining", sessions: sessions.reduce((sum, each) => sum + each, 0) });
    await this.#allEnded();
    this.#close();
    this.#observer({ type: "stopped" });
  }

  /** Ends the sessions that a `stop` under way still waits for. */
  abort(): void {
    for (const worker of this.#workers) worker.abort();
    this.#killAfter(GRACE);
  }

  #killAfter(time: number): void {
    const kill = () => {
      for (const worker of this.#workers) worker.kill();
    };
    setTimeout(kill, Math.min(time, MAX_TIMER)).unref();
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.ended));
  }

  #close(): void {
    this.#closeSockets();
    this.#identd?.close();
  }

  #closeSockets(): void {
    for (const { descriptor } of this.#sockets) closeSync(descriptor);
    this.#sockets = [];
  }
}

/** The first one that dies early is replaced at once, the second in a row after a second, the third after two … */
function pauseBefore(early: number): number {
  return early < 2 ? 0 : Math.min(2 ** (early - 2) * 1000, LONGEST_PAUSE);
}
