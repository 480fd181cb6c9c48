/**
 * A server of several processes. The workers accept and serve, all on the same sockets; the primary holds those and what
 * counts across connections, writes the log for all, and puts another worker in the place of one that died.
 */
import type { ChildProcess } from "node:child_process";
import { NetworkError } from "../errors.js";
import type { AuditRecords, Observer } from "../observability/events.js";
import type { MetricsSum } from "../observability/metrics-sum.js";
import { IdentdSocket, type IdentdSocketOptions } from "../server/identd-socket.js";
import { Listener, type ListenerAddress } from "../server/listener.js";
import { listenerChanges } from "../server/listener-changes.js";
import type { FindOwner } from "../server/outgoing.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";
import type { SessionInfo } from "../server/session-info.js";
import { localCounts } from "../server/shared-counts.js";
import type { UpstreamInfo } from "../server/upstream-info.js";
import { collectMetrics, notHealthy, notReady } from "./answers.js";
import type { WorkerConfig } from "./calls.js";
import type { LineSink } from "./line-relay.js";
import { WorkerProcess } from "./worker-process.js";

/** What may change while it serves. */
export interface PrimarySetup {
  /** Throws what would keep a worker from serving. */
  check(): Promise<void>;
  listeners: readonly ListenerAddress[];
  /** What each worker reads the rest of the configuration from. */
  config: WorkerConfig;
}

export interface PrimaryOptions extends PrimarySetup {
  workers: number;
  /** Where `gssocks identd` asks us; null for nowhere. */
  identd: IdentdSocketOptions | null;
  /** Of this process, protected destinations for the workers. */
  ownListeners(): Listener["bound"][];
  /** Told what workers count, and which of them are no more; null where nobody counts. */
  metrics: MetricsSum | null;
  /** Begins a worker process that has these descriptors, its standard output a pipe. */
  fork(descriptors: readonly number[]): ChildProcess;
}

/** A listener's, which the workers have too. */
interface SharedSocket {
  readonly at: ListenerAddress;
  /** `address:port`, as bound, or the text of a Unix socket. */
  readonly address: string;
  readonly port: number | null;
  readonly descriptor: number;
  close(): void;
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
  #sockets: readonly SharedSocket[] = [];
  #config: WorkerConfig;
  #identd: IdentdSocket | null = null;
  #stopping = false;

  /**
   * @param lines where the workers' log goes
   * @param trail where their audit records go
   */
  constructor(options: PrimaryOptions, observer: Observer, lines: LineSink, trail: AuditRecords) {
    this.#options = options;
    this.#config = options.config;
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
      this.#sockets = (await this.#openSockets(listeners)).sockets;
      await Promise.all(Array.from({ length: workers }, () => this.#launch(0)));
      this.#tellListening(this.#sockets);
    } catch (error) {
      this.#stopping = true;
      for (const worker of this.#workers) worker.kill();
      await this.#allEnded();
      this.#close();
      throw error;
    }
  }

  /**
   * Has the workers serve by another configuration. One that can't, though the check found nothing, is replaced. Not to be
   * called while it is under way.
   * @throws what {@link start} throws; nothing has changed then
   */
  async reload({ check, listeners, config }: PrimarySetup): Promise<ReloadOutcome> {
    await check();
    const { sockets, added, removed } = await this.#openSockets(listeners);
    if (this.#stopping) {
      closeAll(added);
      throw new NetworkError("SERVER_STOPPED", "the server stops");
    }
    const workers = [...this.#workers];
    // Workers that begin from now on have it from the beginning.
    this.#config = config;
    this.#sockets = sockets;
    const descriptors = added.map(({ descriptor }) => descriptor);
    const ended = await Promise.all(
      workers.map((worker) =>
        worker.reload(config, descriptors).catch(({ message }: Error) => {
          this.#observer({ type: "warning", reason: message });
          return 0;
        }),
      ),
    );
    closeAll(removed);
    this.#tellListening(added);
    return {
      added: names(added),
      removed: names(removed),
      ended: ended.reduce((sum, each) => sum + each, 0),
    };
  }

  /** Those for `listeners`, as far as they are there already. */
  async #openSockets(
    listeners: readonly ListenerAddress[],
  ): Promise<Record<"sockets" | "added" | "removed", readonly SharedSocket[]>> {
    const { kept, removed } = listenerChanges(this.#sockets, listeners);
    const added: SharedSocket[] = [];
    const sockets: SharedSocket[] = [];
    try {
      for (const [index, at] of listeners.entries()) {
        const socket = kept[index] ?? (await openSocket(at));
        if (socket !== kept[index]) added.push(socket);
        sockets.push(socket);
      }
    } catch (error) {
      closeAll(added);
      throw error;
    }
    return { sockets, added, removed };
  }

  #tellListening(sockets: readonly SharedSocket[]): void {
    for (const { address, port } of sockets) this.#observer({ type: "listening", address, port });
  }

  async list(): Promise<SessionInfo[]> {
    return (await Promise.all([...this.#workers].map((worker) => worker.sessions()))).flat();
  }

  /** As each of the workers finds them. */
  async upstreams(): Promise<UpstreamInfo[]> {
    return (await Promise.all([...this.#workers].map((worker) => worker.upstreams()))).flat();
  }

  /** @returns those of `sessions` that were open, ended by now */
  async kill(sessions: readonly string[]): Promise<string[]> {
    return (await Promise.all([...this.#workers].map((worker) => worker.endSessions(sessions)))).flat();
  }

  /** @param early how many workers in a row have died early before this one */
  async #launch(early: number): Promise<void> {
    const descriptors = this.#sockets.map(({ descriptor }) => descriptor);
    const ownListeners = this.#options.ownListeners();
    const { workers } = this.#options;
    const sockets = this.#sockets.map(({ descriptor }) => ({ descriptor }));
    const setup = { ...this.#config, workers, sockets, ownListeners };
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
    closeAll(this.#sockets);
    this.#sockets = [];
  }
}

async function openSocket(at: ListenerAddress): Promise<SharedSocket> {
  const listener = await Listener.open(at, (socket) => socket.destroy());
  const { port } = listener.bound;
  return { at, address: String(listener), port, ...listener.keep() };
}

function closeAll(sockets: readonly SharedSocket[]): void {
  for (const socket of sockets) socket.close();
}

function names(sockets: readonly SharedSocket[]): string[] {
  return sockets.map(({ address }) => address);
}

/** The first one that dies early is replaced at once, the second in a row after a second, the third after two … */
function pauseBefore(early: number): number {
  return early < 2 ? 0 : Math.min(2 ** (early - 2) * 1000, LONGEST_PAUSE);
}
