/** A server of ours as a process of its own: what it logs, and its end. */
import type { Exit, Running } from "./processes.js";

export type LogLine = Record<string, unknown> & { msg: string };

export class ServerProcess {
  readonly process: Running;
  /** Ports of the listeners that it began with, in the configuration's order; 0 for a Unix socket. */
  readonly ports: readonly number[];
  readonly #name: string;

  /** @param name of the command */
  constructor(process: Running, name: string, ports: readonly number[]) {
    this.process = process;
    this.#name = name;
    this.ports = ports;
  }

  /** The first listener's port. */
  get port(): number {
    return this.ports[0] as number;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** As `localhost:1080`, for command lines. */
  get address(): string {
    return `localhost:${this.port}`;
  }

  /** Every log line so far, parsed. */
  log(): LogLine[] {
    return parsed(this.process.stdout());
  }

  /** The same lines, which are forgotten then: for servers that run long. */
  takeLog(): LogLine[] {
    return parsed(this.process.takeLines());
  }

  /** The first audit record of a session's end for which `which` holds, when it has been written. */
  async audit(which: (record: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.waitForLog((line) => isSessionRecord(line) && which(line));
  }

  /** The last log line that is no audit record. */
  get last(): LogLine | undefined {
    return this.log().findLast(({ msg }) => msg !== "audit");
  }

  /** The audit records of the sessions that have ended. */
  audits(): LogLine[] {
    return this.log().filter(isSessionRecord);
  }

  /** The first log line for which `which` holds, when it has been written. */
  async waitForLog(which: (line: LogLine) => boolean): Promise<LogLine> {
    return this.process.waitForLine({
      exec: (text) => {
        const line = text.startsWith("{") ? (JSON.parse(text) as LogLine) : null;
        return line !== null && which(line) ? line : null;
      },
    });
  }

  /** Tells the lines of sessions that begin after this. */
  later(): (line: LogLine) => boolean {
    const before = new Set(this.log().map(({ session }) => session));
    return ({ session }) => !before.has(session);
  }

  /** Whether somebody reads the log. */
  get output(): Running["output"] {
    return this.process.output;
  }

  /** All output, to be shown when a test has failed. */
  logs(): string {
    return `--- gssocks ${this.#name}\n${this.process.stdout()}${this.process.stderr()}`;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  get exited(): Promise<Exit> {
    return this.process.exited;
  }

  stop(): Promise<Exit> {
    return this.process.stop();
  }
}

export function isSessionRecord({ msg, type }: LogLine): boolean {
  return msg === "audit" && type === "session";
}

function parsed(output: string): LogLine[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}

/** The ports, in the order of the log. */
export async function listening(child: Running, count: number, timeoutMs?: number): Promise<number[]> {
  const addresses: string[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    // Addresses differ, so each listener's line is the first one that names none of those seen.
    const another = addresses.map((address) => `(?!${address.replace(/[^\w:/]/g, "\\$&")}")`).join("");
    const [, address = "", port] = await child.waitForLine(
      new RegExp(`"address":"${another}([^"]+)","port":(\\d+|null),"msg":"listening"`),
      timeoutMs,
    );
    addresses.push(address);
    ports.push(port === "null" ? 0 : Number(port));
  }
  return ports;
}
