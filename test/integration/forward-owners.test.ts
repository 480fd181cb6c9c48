/**
 * What is tested: nobody borrows a user's forwarder: programs of another user are turned away on every port and protocol it
 * has, unless its configuration says otherwise; over a Unix socket it is there for its own user's programs.
 */
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { Forwarder } from "../support/forwarder.js";
import { scratch } from "../support/identd.js";
import { Origin } from "../support/origin.js";
import { runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const needsRoot = process.getuid?.() === 0 ? false : "only root can be another user";
const skip = process.platform === "linux" ? needsRoot : "owners are for Linux";

const OTHER = 54321;

async function prepared(t: TestContext) {
  const { realm, proxy } = await proxiedRealm(t);
  const web = await Origin.start((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  });
  t.after(() => web.stop());
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME };
  const forward = async (args: readonly string[], listeners = 1) => {
    const forwarder = await Forwarder.start(args, env, listeners);
    showOnFailure(t, async () => forwarder.logs());
    t.after(() => forwarder.stop());
    return forwarder;
  };
  /** What comes of it. */
  const curl = async (uid: number, through: string) => {
    const args = [
      "-q",
      "-sS",
      "--max-time",
      "60",
      "--noproxy",
      "",
      "-x",
      through,
      `http://localhost:${web.port}/`,
    ];
    const { stdout } = await runToEnd("setpriv", ["--reuid", String(uid), "--clear-groups", "curl", ...args]);
    return stdout;
  };
  return { proxy, forward, curl };
}

test("by default for its own user alone", { skip }, async (t) => {
  const { proxy, forward, curl } = await prepared(t);
  const socket = path.join(await scratch(t), "forward");
  const listen = ["127.0.0.1:0", "[::1]:0", `unix:${socket}`].flatMap((each) => ["--listen", each]);
  const forwarder = await forward(["--proxy", proxy.address, ...listen], 3);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const [ipv4, ipv6] = forwarder.ports;
  for (const scheme of ["socks4a", "socks5h", "http"]) {
    for (const at of [`127.0.0.1:${ipv4}`, `[::1]:${ipv6}`]) {
      assert.equal(await curl(0, `${scheme}://${at}`), "hello", `${scheme} ${at}`);
      assert.equal(await curl(OTHER, `${scheme}://${at}`), "", `${scheme} ${at}`);
    }
  }
  assert.equal(await curl(0, `socks5h://localhost${socket}`), "hello");
  const { uid } = await forwarder.waitForLog(({ code }) => code === "NOT_OWNER");
  assert.equal(uid, OTHER);
});

test("for others where the configuration says so", { skip }, async (t) => {
  const { proxy, forward, curl } = await prepared(t);
  const file = path.join(await scratch(t), "config.yaml");
  const listeners = [
    { address: "127.0.0.1:0", owners: [OTHER] },
    { address: "127.0.0.2:0", owners: null },
  ];
  writeFileSync(file, stringify({ listeners, upstreams: { proxy: { proxies: [proxy.address] } } }));
  const forwarder = await forward(["--config", file], 2);
  const [theirs, all] = forwarder.ports;
  assert.equal(await curl(OTHER, `http://127.0.0.1:${theirs}`), "hello");
  assert.equal(await curl(0, `http://127.0.0.1:${theirs}`), "");
  for (const uid of [0, OTHER]) assert.equal(await curl(uid, `http://127.0.0.2:${all}`), "hello");
});
