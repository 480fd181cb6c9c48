/** `gssocks identd` as a process of its own, on a port the system picked, and netcat to ask it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { type Running, run, start } from "./processes.js";
import { CLI, type LogLine } from "./proxy.js";
import { showOnFailure } from "./show-on-failure.js";

export interface Identd {
  readonly port: number;
  readonly process: Running;
  /** The first log line for which `which` holds, when it has been written. */
  log(which: (line: LogLine) => boolean): Promise<LogLine>;
}

/**
 * Fulfilled when it listens; stopped when the test ends.
 * @param identd the configuration's section
 */
export async function startIdentd(test: TestContext, identd: Record<string, unknown>): Promise<Identd> {
  const dir = await scratch(test);
  const file = path.join(dir, "config.yaml");
  await writeFile(file, stringify({ listeners: [{ address: "127.0.0.1:0" }], identd }));
  const child = await start(process.execPath, ["--enable-source-maps", CLI, "identd", "--config", file]);
  showOnFailure(test, () => `--- gssocks identd\n${child.stdout()}${child.stderr()}`);
  test.after(() => child.stop());
  const [, port] = await child.waitForLine(/"port":(\d+),"msg":"listening"/);
  return {
    port: Number(port),
    process: child,
    log: (which) =>
      child.waitForLine({
        exec: (text) => {
          const line = text.startsWith("{") ? (JSON.parse(text) as LogLine) : null;
          return line !== null && which(line) ? line : null;
        },
      }),
  };
}

/** A directory for sockets, whose path is short; removed when the test ends. */
export async function scratch(test: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), "id-"));
  test.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Sends the text from `from` by netcat, and gives what comes back, to the end. */
export async function netcat(
  [from, to]: readonly [string, string],
  port: number,
  text: string,
): Promise<string> {
  const { stdout } = await run("nc", ["-N", "-s", from, to, String(port)], { input: text });
  return stdout;
}
