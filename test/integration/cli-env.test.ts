/**
 * What is tested: `gssocks env`, by the shells that read it: what they set, that nothing in it is run, and --unset; what it takes
 * from a forwarder's configuration.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { run, runToEnd } from "../support/processes.js";

const NAMES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);
const none = Object.fromEntries(NAMES.map((name) => [name, undefined]));

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await gssocks(["env", ...args]);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** What the shell's programs find in their environment. */
async function seen(shell: string, text: string): Promise<Record<string, string>> {
  const { stdout } = await run(shell, ["-c", `${text}\nenv`], { env: none });
  const lines = stdout.split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]);
  return Object.fromEntries(lines.filter(([name]) => NAMES.includes(name)));
}

function expected(at: string, noProxy: string): Record<string, string> {
  const small = {
    http_proxy: `http://${at}`,
    https_proxy: `http://${at}`,
    all_proxy: `socks5h://${at}`,
    no_proxy: noProxy,
  };
  return Object.fromEntries(
    Object.entries(small).flatMap(([name, value]) => [
      [name, value],
      [name.toUpperCase(), value],
    ]),
  );
}

for (const [shell, language] of [
  ["sh", "sh"],
  ["bash", "sh"],
  ["zsh", "sh"],
  ["fish", "fish"],
  ["csh", "csh"],
] as const) {
  test(shell, async (t) => {
    if ((await runToEnd("sh", ["-c", `command -v ${shell}`])).code !== 0)
      return t.skip(`there is no ${shell} here`);
    const text = await printed("--shell", language);
    assert.deepEqual(await seen(shell, text), expected("127.0.0.1:1081", "localhost,127.0.0.0/8,::1"));
    const other = await printed(
      "--shell",
      language,
      "--listen",
      "[::1]:8080",
      "--direct",
      "*, .example.test <local>",
    );
    assert.deepEqual(await seen(shell, other), expected("[::1]:8080", "*,.example.test,<local>"));
    const gone = await printed("--shell", language, "--unset");
    assert.deepEqual(await seen(shell, `${text}\n${gone}`), {});
  });
}

test("from the forwarder's configuration: its address, and its list beside this host", async (t) => {
  const file = path.join(await scratch(t), "forward.yaml");
  const direct = [".example.test", "10.0.0.0/8"];
  const table: [listeners: object[], at: string][] = [
    [
      [{ address: "unix:/run/a" }, { address: "127.0.0.1:1", http: false }, { address: "*:2", owners: null }],
      "[::1]:2",
    ],
    [[{ address: "systemd:proxy" }, { address: "127.0.0.1:0" }], "127.0.0.1:1081"],
  ];
  for (const [listeners, at] of table) {
    writeFileSync(file, stringify({ listeners, direct, upstreams: { proxy: { proxies: ["p.test:1080"] } } }));
    const seenBy = async (...more: string[]) => seen("sh", await printed("--config", file, ...more));
    assert.deepEqual(await seenBy(), expected(at, "localhost,127.0.0.0/8,::1,.example.test,10.0.0.0/8"));
    assert.deepEqual(await seenBy("--listen", "[::1]:3", "--direct", "*"), expected("[::1]:3", "*"));
  }
  writeFileSync(file, stringify({ direct: ["a..test"] }));
  const { code, stdout, stderr } = await gssocks(["env", "--config", file]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /forward\.yaml:2: direct\[0\]: expected an address, a network, a name/);
});

test("everywhere is no place to connect to", async () => {
  assert.match(await printed("--listen", "*:1081"), /http_proxy='http:\/\/\[::1\]:1081'/);
  assert.match(await printed("--listen", "0.0.0.0:1081"), /http_proxy='http:\/\/127\.0\.0\.1:1081'/);
});

test("what could be more than a value is refused", async () => {
  for (const args of [
    ["--listen", "127.0.0.1:0"],
    ["--listen", "localhost:1081"],
    ["--listen", "127.0.0.1:1081'; id; '"],
    ["--direct", "$(id)"],
    ["--direct", "a.test';id;'"],
    ["--direct", "!!"],
    ["--shell", "powershell"],
  ]) {
    const { code, stdout } = await gssocks(["env", ...args]);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
  }
});
