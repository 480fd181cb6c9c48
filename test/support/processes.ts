/**
 * Child processes of the tests. Each one is waited for by a line it writes, stopped by its own pid and reaped;
 * none outlives the test file, whatever ends that (setpriv has the kernel end the child with its parent).
 */
import { spawn } from "node:child_process";
import type { Writable } from "node:stream";

export interface StartOptions {
  /** Added to the environment of this process; an undefined value takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** Written to standard input, which is then closed. Without it, `stdin` is yours. */
  input?: string | Uint8Array;
  /** The test (or suite) at whose end the process is stopped. */
  test?: { after(hook: () => Promise<void>): void };
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What a line is looked at with: a RegExp, or anything of its shape. */
export interface LinePattern<Match> {
  exec(line: string): Match | null;
}

export interface Running {
  readonly pid: number;
  readonly stdin: Writable;
  /** Everything written so far. */
  stdout(): string;
  stderr(): string;
  stdoutBytes(): Buffer;
  /** Takes the whole lines of standard output away, which are forgotten: for processes that go on and on. */
  takeLines(): string;
  /** Standard output is not read until `resume`: when the pipe is full, the process has to wait. */
  readonly output: { pause(): void; resume(): void };
  /** Fulfilled when the process is gone and its output is complete; never rejects. */
  readonly exited: Promise<Exit>;
  /**
   * The first whole line, of standard output or error, that matches; lines written already count.
   * Rejects with all output when the process ends first or `timeoutMs` (default 30000) has passed.
   */
  waitForLine<Match>(pattern: LinePattern<Match>, timeoutMs?: number): Promise<Match>;
  /** Sends the signal (default SIGTERM), SIGKILL after 10 seconds, and waits. Fine to call on one that is gone. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

const alive = new Set<{ kill(signal: NodeJS.Signals): boolean }>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** Starts a program. Rejects only if it cannot be started. */
export async function start(
  command: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Running> {
  const env = { ...process.env, ...options.env };
  // In a session of its own: a Ctrl-C on the terminal is for this process, which stops its children in order.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
    env,
    cwd: options.cwd,
    detached: true,
  });
  alive.add(child);
  const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => {
      chunks[name].push(chunk);
      for (const look of waiting) look();
    });
  }
  // A program that ends without reading its input is no failure of ours: its exit code tells.
  child.stdin.on("error", () => {});
  let gone: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      gone = { code, signal };
      for (const look of waiting) look();
      resolve(gone);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  if (options.input !== undefined) child.stdin.end(options.input);

  const text = (name: "stdout" | "stderr") => Buffer.concat(chunks[name]).toString();
  const running: Running = {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: () => text("stdout"),
    stderr: () => text("stderr"),
    stdoutBytes: () => Buffer.concat(chunks.stdout),
    takeLines() {
      const all = Buffer.concat(chunks.stdout);
      const end = all.lastIndexOf("\n") + 1;
      chunks.stdout = [all.subarray(end)];
      return all.toString("utf8", 0, end);
    },
    output: { pause: () => void child.stdout.pause(), resume: () => void child.stdout.resume() },
    exited,
    waitForLine(pattern, timeoutMs = 30_000) {
      return new Promise((resolve, reject) => {
        const describe = () => `${command} ${args.join(" ")}\n${text("stdout")}${text("stderr")}`;
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        const look = () => {
          for (const line of [...wholeLines(text("stdout"), gone), ...wholeLines(text("stderr"), gone)]) {
            const match = pattern.exec(line);
            if (match) return finish(() => resolve(match));
          }
          if (gone)
            finish(() =>
              reject(new Error(`ended (${gone?.code ?? gone?.signal}) before ${pattern}: ${describe()}`)),
            );
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`no ${pattern} within ${timeoutMs} ms: ${describe()}`))),
          timeoutMs,
        );
        waiting.add(look);
        look();
      });
    },
    async stop(signal = "SIGTERM") {
      if (!gone) child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
  options.test?.after(async () => {
    await running.stop();
  });
  return running;
}

function wholeLines(text: string, gone: Exit | undefined): string[] {
  const lines = text.split("\n");
  if (!gone) lines.pop();
  return lines;
}

export interface Finished extends Exit {
  stdout: string;
  stderr: string;
}

/** Runs a program to its end (killed after `timeoutMs`, default 30000). Rejects, with its output, unless it exits 0. */
export async function run(
  command: string,
  args: readonly string[] = [],
  options: StartOptions & { timeoutMs?: number } = {},
): Promise<Finished> {
  const finished = await runToEnd(command, args, options);
  if (finished.code !== 0) {
    const how = finished.code ?? finished.signal;
    throw new Error(`${command} ${args.join(" ")}: ended with ${how}\n${finished.stdout}${finished.stderr}`);
  }
  return finished;
}

/** As {@link run}, for programs that may fail: the exit code is the caller's to judge. Input is empty unless given. */
export async function runToEnd(
  command: string,
  args: readonly string[] = [],
  options: StartOptions & { timeoutMs?: number } = {},
): Promise<Finished> {
  const child = await start(command, args, { input: "", ...options });
  const timer = setTimeout(() => void child.stop("SIGKILL"), options.timeoutMs ?? 30_000);
  const exit = await child.exited;
  clearTimeout(timer);
  return { ...exit, stdout: child.stdout(), stderr: child.stderr() };
}
