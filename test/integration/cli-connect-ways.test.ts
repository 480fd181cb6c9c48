/**
 * What is tested: the ways in which `gssocks connect` shows the proxy who its user is, and what it is asked for: methods,
 * a password from a file and from a descriptor, another ticket, a client keytab, HTTP, the proxy's name in full; one
 * reverse connection by --listen; --progress on a terminal, and nowhere else.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CAROL } from "../support/command-client.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { usersFile } from "../support/passwords.js";
import { run, runToEnd, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";

const TERMINAL = fileURLToPath(new URL("../../../test/support/terminal.py", import.meta.url));

test("gssocks connect, in every way", async (t) => {
  const { realm, proxy } = await proxiedRealm(
    t,
    async ({ dir }) => ({
      listeners: [
        { address: "127.0.0.1:0", methods: ["gssapi", "password", "none"] },
        {
          address: "127.0.0.1:0",
          methods: ["gssapi", "password"],
          http: true,
          gssapi: { protectionLevels: ["none"] },
        },
      ],
      passwords: { file: await usersFile(dir) },
      timeouts: { bind: "2s" },
    }),
    { services: ["HTTP/localhost"] },
  );
  const [socks, http] = proxy.ports as [number, number];
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const file = (name: string) => path.join(realm.dir, name);
  await writeFile(file("password"), `${CAROL.password}\nand another line\n`);
  await writeFile(file("wrong"), "not carol's");
  const destination = ["connect", "127.0.0.1", String(origin.port)];
  const atSocks = ["--proxy", `localhost:${socks}`];
  const atHttp = ["--proxy", `localhost:${http}`, "--protocol", "http"];
  const bobs = await realm.kinit("bob", { ccache: "bobs" });

  const password = ["--user", CAROL.name, "--password-file", file("password")];
  const keytab = [
    "--principal",
    "bob",
    "--client-keytab",
    `FILE:${realm.usersKeytab}`,
    "--ccache",
    `FILE:${file("new")}`,
  ];
  const ways: readonly [options: string[], expected: Record<string, unknown>][] = [
    [[...atSocks, "--method", "none"], { method: "none", principal: null, level: null }],
    [[...atSocks, ...password], { method: "password", principal: "carol" }],
    [
      [...atSocks, ...password, "--method", "password,gssapi"],
      { method: "gssapi", level: "confidentiality" },
    ],
    [[...atSocks, "--ccache", bobs], { principal: "bob@EXAMPLE.TEST" }],
    [[...atSocks, ...keytab], { principal: "bob@EXAMPLE.TEST" }],
    [
      [...atSocks, "--target-name", "host/localhost@EXAMPLE.TEST"],
      { targetName: "host/localhost@EXAMPLE.TEST" },
    ],
    [
      atHttp,
      { method: "gssapi", principal: "alice@EXAMPLE.TEST", targetName: "HTTP/localhost@EXAMPLE.TEST" },
    ],
    [[...atHttp, "--ccache", bobs], { method: "gssapi", principal: "bob@EXAMPLE.TEST" }],
    [[...atHttp, ...password], { method: "password", principal: "carol" }],
  ];
  for (const [options, expected] of ways) {
    await t.test(options.slice(2).join(" ") || "as it is", async () => {
      const isNew = proxy.later();
      const finished = await gssocks([...destination, ...options], { env: realm.env, input: "hello" });
      const { code, stdout, stderr } = finished;
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "hello", stderr: "" });
      const record = await proxy.audit(isNew);
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, record[key]])), expected);
    });
  }

  await t.test("a password from a descriptor", async () => {
    const script = 'exec 3<"$1"; shift; exec "$@" --password-file /dev/fd/3';
    const command = [process.execPath, CLI, ...destination, ...atSocks, "--user", CAROL.name];
    const { code, stdout } = await runToEnd("bash", ["-c", script, "bash", file("password"), ...command], {
      env: realm.env,
      input: "hello",
    });
    assert.deepEqual([code, stdout], [0, "hello"]);
  });

  await t.test("a password that is wrong", async () => {
    for (const [at, how] of [
      [atSocks, "STATUS 1"],
      [atHttp, "407"],
    ] as const) {
      const args = [...destination, ...at, "--user", CAROL.name, "--password-file", file("wrong")];
      const { code, stdout, stderr } = await gssocks(args, { env: realm.env });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(
        stderr,
        `gssocks: the proxy refused our username and password (${how}); its log says why\n`,
      );
    }
  });

  await t.test("a method that the proxy does not take", async () => {
    const { code, stderr } = await gssocks([...destination, ...atHttp, "--method", "none"], {
      env: realm.env,
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^gssocks: the proxy wants negotiate or basic \(407\); we are told to show it none\n$/,
    );
  });

  await t.test("--listen", async (t) => {
    const listen = ["connect", "127.0.0.1", "20", ...atSocks, "--listen"];
    for (const options of [[], ["--method", "none"]]) {
      const child = await start(process.execPath, [CLI, ...listen, ...options], { env: realm.env, test: t });
      const [, host, port] = await child.waitForLine(/^listening on (127\.0\.0\.1):(\d+)$/);
      const socket = connect({ host: host as string, port: Number(port), allowHalfOpen: true });
      t.after(() => socket.destroy());
      socket.end("to the one who listens");
      child.stdin.end("to the one who came");
      assert.equal(Buffer.concat(await socket.toArray()).toString(), "to the one who came");
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      assert.equal(child.stdout(), "to the one who listens");
      assert.equal(child.stderr().split("\n").length, 2, child.stderr());
    }
    const nobody = await gssocks(listen, { env: realm.env });
    assert.equal(nobody.code, 1);
    assert.match(
      nobody.stderr,
      /^listening on [^\n]*\ngssocks: nobody has connected to the proxy for us: TTL expired \(REP 6\)\n$/,
    );
    const refused = await gssocks(["connect", "127.0.0.1", "20", ...atHttp, "--listen"], { env: realm.env });
    assert.equal(refused.code, 1);
    assert.equal(refused.stderr, "gssocks: an HTTP proxy knows CONNECT alone: BIND needs a SOCKS5 proxy\n");
  });

  await t.test("--progress: on a terminal, where data is piped", async () => {
    const command = (...more: string[]) => [
      "--",
      "sh",
      "-c",
      ...more,
      "sh",
      process.execPath,
      CLI,
      ...destination,
      ...atSocks,
    ];
    const onTerminal = async (script: string, ...options: string[]) => {
      const args = [TERMINAL, ...command(script), ...options];
      const { code, stdout } = await runToEnd("python3", args, { env: realm.env });
      assert.equal(code, 0, stdout);
      return stdout;
    };
    const piped = 'head -c 3000000 /dev/zero | "$@" | cksum';
    const sum = (await run("sh", ["-c", "head -c 3000000 /dev/zero | cksum"])).stdout.trim();
    for (const level of ["confidentiality", "integrity"]) {
      const text = await onTerminal(piped, "--progress", "--level", level);
      assert.match(text, /\r3\.00 MB sent, 3\.00 MB received, [\d.]+ \w?B\/s, \d+:\d\d/);
      assert.ok(text.includes("\x1b[K\r\n"), "the last line stays");
      assert.ok(text.includes(sum), text);
    }
    assert.equal(
      (await onTerminal(piped, "--level", "confidentiality")).trim(),
      sum,
      "not unless it is asked for",
    );

    const args = [...destination, ...atSocks, "--progress"];
    const { stdout, stderr } = await gssocks(args, { env: realm.env, input: "hello" });
    assert.deepEqual([stdout, stderr], ["hello", ""], "nor anywhere but on a terminal");
  });
});
