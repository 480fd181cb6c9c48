/** One worker, as the primary sees it: from when it is forked until its end. */
import type { ChildProcess, SendHandle } from "node:child_process";
import { Socket, type SocketConstructorOpts } from "node:net";
import { NetworkError } from "../errors.js";
import { native } from "../gss/native.js";
import type { AuditRecords, AuditState } from "../observability/events.js";
import type { MetricsAsJson } from "../observability/metrics-sum.js";
import { SESSIONS } from "../server/limits.js";
import type { Owner, TcpAddress } from "../server/outgoing.js";
import type { SessionInfo } from "../server/session-info.js";
import type { SharedCounts } from "../server/shared-counts.js";
import type { UpstreamInfo } from "../server/upstream-info.js";
import {
  FIRST_SOCKET,
  type PrimaryCalls,
  type WorkerCalls,
  type WorkerConfig,
  type WorkerSetup,
} from "./calls.js";
import { Channel } from "./channel.js";
import { type LineSink, relayLines } from "./line-relay.js";
import { WorkerShare } from "./worker-share.js";

/** How long a worker may take to reload, in ms. */
const PATIENCE = 30_000;

export interface WorkerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Those that ended with it. */
  sessions: number;
}

export class WorkerProcess {
  readonly pid: number;
  /** Fulfilled when it serves. @throws NetworkError (WORKER_FAILED) where it can't, or ended before */
  readonly ready: Promise<void>;
  /** Fulfilled when the process is gone, all that it wrote is handed on, and what it held is given back. */
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  readonly #channel: Channel<WorkerCalls, PrimaryCalls>;

  /** @param child with {@link FIRST_SOCKET} and those that follow as descriptors, and a pipe for its standard output */
  constructor(
    child: ChildProcess,
    { sockets, ...setup }: WorkerSetup,
    { counts, lines, trail }: { counts: SharedCounts; lines: LineSink; trail: AuditRecords },
  ) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    const share = new WorkerShare(counts, trail);
    this.#channel = new Channel<WorkerCalls, PrimaryCalls>(child, share);
    const relayed =
      child.stdout === null ? Promise.resolve() : relayLines(child.stdout, lines).catch(() => {});
    const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child
        .once("close", (code, signal) => resolve([code, signal]))
        // It could not be started: there is nothing more to come.
        .on("error", () => child.pid === undefined && resolve([null, null]));
    });
    this.ended = closed.then(async ([code, signal]) => {
      const sessions = share.held(SESSIONS);
      share.giveBack();
      this.#channel.close(failed(`worker ${this.pid} ended (${signal ?? code})`));
      await relayed;
      return { code, signal, sessions };
    });
    this.auditState(trail.state);
    const numbered = sockets.map((_, index) => ({ descriptor: FIRST_SOCKET + index }));
    this.ready = this.#channel.call("start", { ...setup, sockets: numbered }).then((reason) => {
      if (reason === null) return;
      this.kill();
      throw failed(`worker ${this.pid} can't serve: ${reason}`);
    });
    // Whoever has no use for it learns of the end all the same.
    this.ready.catch(() => {});
  }

  /** @returns how many sessions it waits for */
  stop(drain: number): Promise<number> {
    return this.#channel.call("stop", drain).catch(() => 0);
  }

  abort(): void {
    this.#channel.tell("abort");
  }

  auditState(state: AuditState): void {
    this.#channel.tell("auditState", state);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  notReady(): Promise<readonly string[]> {
    return this.#channel.call("notReady").catch(({ message }: Error) => [message]);
  }

  /** Fulfilled when it answers, or has ended and need not. */
  async answers(): Promise<true> {
    return this.#channel.call("ping").catch(() => true);
  }

  metrics(): Promise<MetricsAsJson | null> {
    return this.#channel.call("metrics").catch(() => null);
  }

  /**
   * @param sockets descriptors, for listeners that are new
   * @returns how many sessions it has ended
   * @throws NetworkError (WORKER_FAILED); it does not serve any more then
   */
  async reload(config: WorkerConfig, sockets: readonly number[]): Promise<number> {
    const handles = sockets.map(toSend);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(failed(`no answer for ${PATIENCE / 1000} s`)), PATIENCE);
    });
    try {
      return await Promise.race([this.#reload(config, handles), late]);
    } catch (error) {
      this.kill();
      throw failed(`worker ${this.pid} can't reload: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
      for (const handle of handles) handle.destroy();
    }
  }

  async #reload(config: WorkerConfig, handles: readonly Socket[]): Promise<number> {
    await this.ready;
    for (const handle of handles) {
      const { _handle } = handle as Socket & { _handle: SendHandle };
      if (!(await this.#channel.hand("addSocket", _handle))) throw failed("a socket did not arrive");
    }
    const answer = await this.#channel.call("reload", config);
    if ("failure" in answer) throw failed(answer.failure);
    return answer.ended;
  }

  sessions(): Promise<SessionInfo[]> {
    return this.#channel.call("sessions").catch(() => []);
  }

  upstreams(): Promise<UpstreamInfo[]> {
    return this.#channel.call("upstreams").catch(() => []);
  }

  endSessions(sessions: readonly string[]): Promise<string[]> {
    return this.#channel.call("kill", sessions).catch(() => []);
  }

  findOwner(local: TcpAddress, remote: TcpAddress): Promise<Owner | null> {
    return this.#channel.call("findOwner", local, remote).catch(() => null);
  }
}

/** What a descriptor has to be to be sent; nothing is read from it. */
function toSend(descriptor: number): Socket {
  const fd = native.duplicateDescriptor(descriptor);
  return new Socket({ fd, readable: false, writable: false, manualStart: true } as SocketConstructorOpts);
}

function failed(message: string): NetworkError {
  return new NetworkError("WORKER_FAILED", message);
}
