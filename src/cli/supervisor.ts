/**
 * What systemd, or whoever started us, is told of how we are (sd_notify(3)): datagrams to the Unix socket NOTIFY_SOCKET, one
 * assignment a line. And its watchdog (sd_watchdog_enabled(3)), which is told as often as it asks by the event loop that
 * everything here hangs on.
 */
import { constants } from "node:os";
import { native } from "../gss/native.js";

const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/** A supervisor whose queue is full is told again; in ms. */
const AGAIN = 100;
const TRIES = 50;

type Send = (path: string, octets: Uint8Array) => number;

export class Supervisor {
  readonly #socket: string | null;
  readonly #send: Send;
  #stopping = false;

  /** Takes the variables out of the environment: they are not for the processes that we start. */
  static take(
    environment: NodeJS.ProcessEnv = process.env,
    pid = process.pid,
    send: Send = native.sendUnixDatagram,
  ): Supervisor {
    const { NOTIFY_SOCKET = "", WATCHDOG_USEC = "", WATCHDOG_PID = String(pid) } = environment;
    for (const variable of VARIABLES) delete environment[variable];
    // Of the socket's other kinds (`vsock:`) none is for services of this host.
    const socket = /^[/@]./s.test(NOTIFY_SOCKET) ? NOTIFY_SOCKET : null;
    const watched = WATCHDOG_PID === String(pid) && /^[1-9]\d{0,14}$/.test(WATCHDOG_USEC);
    return new Supervisor(socket, watched ? Number(WATCHDOG_USEC) / 1000 : null, send);
  }

  /** @param watchdog milliseconds in which it must be told at least once; null: none */
  private constructor(socket: string | null, watchdog: number | null, send: Send) {
    this.#socket = socket;
    this.#send = send;
    if (socket === null || watchdog === null) return;
    // As sd_watchdog_enabled(3) has it. setInterval takes no more than 2^31 - 1 ms.
    const pause = Math.min(Math.max(1, watchdog / 2), 2 ** 31 - 1);
    setInterval(() => this.#tell("WATCHDOG=1"), pause).unref();
  }

  /** We serve; also when a reload is over. @param status one line, for people */
  ready(status: string): void {
    if (!this.#stopping) this.#tell("READY=1", `STATUS=${status}`);
  }

  /** We read the configuration again; {@link ready} follows, whatever comes of it. */
  reloading(): void {
    if (this.#stopping) return;
    // By the same clock as systemd's: libuv's is CLOCK_MONOTONIC.
    const microseconds = process.hrtime.bigint() / 1000n;
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${microseconds}`, "STATUS=Reloading");
  }

  stopping(status: string): void {
    this.#stopping = true;
    this.#tell("STOPPING=1", `STATUS=${status}`);
  }

  #tell(...lines: string[]): void {
    if (this.#socket !== null) this.#deliver(this.#socket, Buffer.from(lines.map(oneLine).join("\n")), TRIES);
  }

  /** That nobody is there any more is nothing to a server that serves. */
  #deliver(socket: string, octets: Buffer, tries: number): void {
    const error = this.#send(socket, octets);
    const full = error === constants.errno.EAGAIN || error === constants.errno.ENOBUFS;
    if (full && tries > 1) setTimeout(() => this.#deliver(socket, octets, tries - 1), AGAIN).unref();
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
