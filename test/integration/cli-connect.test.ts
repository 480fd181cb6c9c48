/**
 * `gssocks connect`: standard input and output joined to a destination. Large transfers both ways, either side ending
 * first, readers that are slow or go away, the options, and the exit status.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { echo, hashSink, Origin } from "../support/origin.js";
import { run, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";

const MB = 1 << 20;
const sha256 = (octets: Uint8Array) => createHash("sha256").update(octets).digest("hex");

test("connect joins standard input and output to the destination", async (t) => {
  const listeners = [
    { address: "127.0.0.1:0" },
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["integrity"] } },
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["none"], nec: true } },
  ];
  const { realm, proxy } = await proxiedRealm(t, { listeners });
  const octets = randomBytes(20 * MB);

  /** An origin, and the arguments that lead to it. */
  async function destination(serve: Parameters<typeof Origin.start>[0], port = proxy.port) {
    const origin = await Origin.start(serve);
    t.after(() => origin.stop());
    return { origin, args: ["connect", "127.0.0.1", String(origin.port), "--proxy", `localhost:${port}`] };
  }
  /** A shell in which "$@" is the command. */
  const inShell = (script: string, args: readonly string[], ...named: string[]) =>
    start("bash", ["-c", script, "bash", ...named, process.execPath, CLI, ...args], {
      env: realm.env,
      test: t,
    });

  await t.test("20 MB both ways at once", async () => {
    const { args } = await destination(echo);
    const child = await start(process.execPath, [CLI, ...args], { env: realm.env, input: octets, test: t });
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.stderr(), "");
    assert.equal(sha256(child.stdoutBytes()), sha256(octets));
  });

  await t.test("files instead of pipes", async () => {
    const { args } = await destination(echo);
    const [from, to] = [path.join(realm.dir, "from"), path.join(realm.dir, "to")];
    await writeFile(from, octets);
    const child = await inShell('from=$1 to=$2; shift 2; "$@" <"$from" >"$to"', args, from, to);
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    await run("cmp", [from, to]);
  });

  await t.test("standard input ends first", async () => {
    const { args } = await destination(hashSink);
    const { code, stdout } = await gssocks(args, { env: realm.env, input: octets });
    assert.equal(code, 0);
    assert.equal(stdout, sha256(octets));
  });

  await t.test("the destination ends first", async () => {
    let arrived: (octets: Buffer[]) => void;
    const all = new Promise<Buffer[]>((resolve) => {
      arrived = resolve;
    });
    const { args } = await destination((socket) => {
      socket.end("bye\n");
      void socket.toArray().then(arrived);
    });
    const child = await inShell('"$@" | { cat; echo "output has ended"; }; exit $PIPESTATUS', args);
    await child.waitForLine(/^output has ended$/);
    assert.equal(child.stdout(), "bye\noutput has ended\n");
    child.stdin.end(octets);
    assert.equal(sha256(Buffer.concat(await all)), sha256(octets));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });

  await t.test("a reader that does not read yet stops its own direction only", async () => {
    let ended: () => void;
    const up = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const { origin, args } = await destination((socket) => {
      socket.end(octets);
      socket.resume().once("end", () => ended());
    });
    const gate = path.join(realm.dir, "gate");
    await run("mkfifo", [gate]);
    const child = await inShell('gate=$1; shift; "$@" | { read -r _ <"$gate"; sha256sum; }', args, gate);
    child.stdin.end(octets);
    await up;
    assert.equal(origin.sockets[0]?.bytesRead, octets.length);
    await writeFile(gate, "go\n");
    await child.exited;
    assert.equal(child.stdout(), `${sha256(octets)}  -\n`);
  });

  await t.test("a reader that goes away", async () => {
    const { args } = await destination((socket) => socket.end(octets));
    const child = await inShell('"$@" | head -c 100000 | wc -c; exit $PIPESTATUS', args);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.equal(child.stdout(), "100000\n");
    assert.equal(child.stderr(), "gssocks: standard output was closed\n");
  });

  await t.test("a full disk", async () => {
    const { args } = await destination((socket) => socket.end("more than fits"));
    const child = await inShell('"$@" >/dev/full', args);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.match(child.stderr(), /^gssocks: standard output can't be written: ENOSPC[^\n]*\n$/);
  });

  await t.test("a destination that breaks off", async () => {
    const { args } = await destination((socket) => {
      socket.write("first\n");
      socket.once("data", () => socket.resetAndDestroy());
    });
    const child = await start(process.execPath, [CLI, ...args], { env: realm.env, test: t });
    await child.waitForLine(/^first$/);
    // Standard input stays open: the end does not depend on it.
    child.stdin.write("now");
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.match(child.stderr(), /^gssocks: the connection to the proxy broke: [^\n]*\n$/);
  });

  await t.test("a hang-up behind the end of its input, as ssh does it: both ends end in order", async () => {
    const { origin, args } = await destination((socket) => {
      socket.write("here\n");
      socket.once("end", () => socket.end("behind the signal\n")).resume();
    });
    const child = await start(process.execPath, [CLI, ...args], { env: realm.env, test: t });
    await child.waitForLine(/^here$/);
    process.kill(child.pid, "SIGHUP");
    child.stdin.end("last words");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.stdout(), "here\nbehind the signal\n");
    const record = await proxy.audit(({ destination }) => destination === `127.0.0.1:${origin.port}`);
    assert.deepEqual([record.outcome, record.bytesUp], ["completed", "last words".length]);
  });

  await t.test("a hang-up that nothing comes of", async () => {
    const { args } = await destination((socket) => socket.write("here\n"));
    const child = await start(process.execPath, [CLI, ...args], { env: realm.env, test: t });
    await child.waitForLine(/^here$/);
    process.kill(child.pid, "SIGHUP");
    assert.deepEqual(await child.exited, { code: null, signal: "SIGHUP" });
  });

  await t.test("a proxy that does not answer", async () => {
    const { origin } = await destination(() => {});
    const args = ["connect", "127.0.0.1", "9", "--proxy", `localhost:${origin.port}`, "--timeout", "0.2"];
    const { code, stderr } = await gssocks(args, { env: realm.env });
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `gssocks: the proxy localhost port ${origin.port} did not open the destination in time\n`,
    );
  });

  const [, integrity, bare] = proxy.ports;
  const variants: readonly [
    options: string[],
    port: number | undefined,
    expected: Record<string, unknown>,
  ][] = [
    [["--level", "confidentiality,integrity"], integrity, { level: "integrity" }],
    [["--level", "integrity"], proxy.port, { level: "integrity" }],
    [["--level", "none"], bare, { level: "none", sealedUp: 0 }],
    [["--level", "none", "--nec"], bare, { level: "none" }],
    [["--service", "socks"], proxy.port, { level: "confidentiality" }],
  ];
  for (const [options, port, expected] of variants) {
    await t.test(options.join(" "), async () => {
      const { origin, args } = await destination(echo, port);
      const { code, stdout, stderr } = await gssocks([...args, ...options], {
        env: realm.env,
        input: "hello",
      });
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "hello", stderr: "" });
      const record = await proxy.audit(({ destination }) => destination === `127.0.0.1:${origin.port}`);
      for (const [key, value] of Object.entries(expected)) assert.equal(record[key], value, key);
      assert.deepEqual([record.principal, record.bytesUp, record.bytesDown], ["alice@EXAMPLE.TEST", 5, 5]);
    });
  }
  const acceptor = proxy
    .log()
    .filter(({ msg }) => msg === "authenticated")
    .at(-1)?.acceptor;
  assert.equal(acceptor, "socks/localhost@EXAMPLE.TEST", "--service names the key that is asked for");
});
