// What the tests in the client's container have in common: tickets, and the proxy that they go through.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

export const PROXY = process.env.PROXY ?? "proxy.example.test";
export const ORIGIN = "origin.example.test";

/** A ticket for one user, in a cache of the test's own; gives the environment to use it with. */
export async function ticket(t, user) {
  const directory = await mkdtemp("/tmp/ticket-");
  t.after(() => rm(directory, { recursive: true, force: true }));
  const env = { ...process.env, KRB5CCNAME: `FILE:${path.join(directory, "ccache")}` };
  const kinit = await run("kinit", [user], { env, input: `${user}-password\n` });
  if (kinit.code !== 0) throw new Error(kinit.stderr);
  return env;
}

/** Runs a program to its end. */
export async function run(program, args, { env = process.env, input = "" } = {}) {
  const child = spawn(program, args, { env, stdio: "pipe" });
  const output = { stdout: [], stderr: [] };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (data) => output[name].push(data));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout: Buffer.concat(output.stdout), stderr: String(Buffer.concat(output.stderr)) };
}

/** `gssocks connect` to a port of the origin. */
export const connect = (port, env, { input = "", args = [], host = ORIGIN } = {}) =>
  run("gssocks", ["connect", host, String(port), "--proxy", `${PROXY}:1080`, ...args], { env, input });

export const klist = async (env) => (await promisify(execFile)("klist", { env })).stdout;
