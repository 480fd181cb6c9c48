// docker and docker compose, for the tests in this directory. Which project and which images is in the environment
// (COMPOSE_PROJECT_NAME, GSSOCKS_TAG and the like: scripts/test-containers.sh).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

/** A docker command that goes on; `line(pattern)` waits for a line of its output. */
export function start(...args) {
  const child = spawn("docker", args, { stdio: "pipe" });
  const lines = [];
  const waiting = new Set();
  const heard = (line) => {
    lines.push(line);
    for (const wait of waiting) wait(line);
  };
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on("line", heard);
  child.stdin.on("error", () => {});
  const ended = once(child, "close").then(([code]) => code);
  const line = (pattern) =>
    new Promise((resolve, reject) => {
      const wait = (each) => {
        if (!pattern.test(each)) return;
        waiting.delete(wait);
        resolve(each);
      };
      waiting.add(wait);
      for (const each of lines) wait(each);
      ended.then(() =>
        reject(new Error(`no line ${pattern} of docker ${args.join(" ")}:\n${lines.join("\n")}`)),
      );
    });
  return { stdin: child.stdin, lines, line, ended, stop: () => child.kill("SIGTERM") };
}

/** A docker command's standard output, or with a last argument `{ stderr: true }` both; rejects where its status is not 0. */
export async function docker(...args) {
  const both = typeof args.at(-1) === "object" && args.pop().stderr;
  const child = spawn("docker", args, { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`docker ${args.join(" ")}: status ${code}\n${stdout}${stderr}`);
  return both ? stdout + stderr : stdout;
}

export const compose = (...args) => docker("compose", "--progress", "quiet", ...args);

/** A command in a client's container, removed afterwards. */
export const clientOf = (service, ...args) => compose("run", "--rm", "--no-deps", "-T", service, ...args);
export const client = (...args) => clientOf("client", ...args);

/** That tests inside passed, all of them; returns how many. */
export function assertPassed(report) {
  const count = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(report)?.[1]);
  assert.ok(count("pass") > 0, report);
  assert.deepEqual(["fail", "cancelled", "skipped"].map(count), [0, 0, 0], report);
  return count("pass");
}

/** For what has no other way to tell: asked again until the answer is true, for a minute or so. */
export async function eventually(look) {
  for (let round = 0; round < 120; round++) {
    const found = await look();
    if (found) return found;
    await wait(500);
  }
  throw new Error(`nothing within a minute: ${look}`);
}

export const containerOf = async (service) => (await compose("ps", "--all", "--quiet", service)).trim();

export async function inspect(service) {
  const [found] = JSON.parse(await docker("inspect", await containerOf(service)));
  return found;
}

/** The lines of a proxy's log, as objects. */
export async function logOf(service) {
  const text = await docker("logs", await containerOf(service));
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** Waits for a container to be `healthy` or `unhealthy`; does something meanwhile, once it can't be missed. */
export async function health(service, wanted, begin = async () => {}) {
  const id = await containerOf(service);
  const format = "{{.Action}}";
  const events = start("events", "--since", "0", "--filter", `container=${id}`, "--format", format);
  // Those of the past come first: `--since 0` has it write at least one line, by which it is known to listen.
  await events.line(/./);
  try {
    await begin();
    const state = await docker("inspect", "--format", "{{.State.Health.Status}}", id);
    if (state.trim() === wanted) return;
    const past = events.lines.length;
    await new Promise((resolve, reject) => {
      events
        .line({ test: (line) => line === `health_status: ${wanted}` && events.lines.length > past })
        .then(resolve, reject);
    });
  } finally {
    events.stop();
  }
}
