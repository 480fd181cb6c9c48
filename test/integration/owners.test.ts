/**
 * What is tested: `owners` of a listener of `gssocks serve`, with processes of a second user of this system: whose
 * connections are reset before a word is said, over TCP of either family and over a Unix socket, and what the log says;
 * whose datagrams an association takes; a client that is gone; a user who is not known; a reload.
 */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { CMD, REP } from "../../src/protocol/constants.js";
import { CommandClient, Datagrams, endpoint } from "../support/command-client.js";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { until } from "../support/kernel.js";
import { run, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine, ProxyServer } from "../support/proxy.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const needsRoot = process.getuid?.() === 0 ? false : "only root can be another user";
const skip = process.platform === "linux" ? needsRoot : "owners are for Linux";

/** In no database of users; games is, in Debian's. */
const OTHER = 54321;

/** Asks for no authentication; prints what comes of it. */
const CLIENT = `
import socket, sys
family, address = (socket.AF_UNIX, sys.argv[1]) if len(sys.argv) == 2 else (
    socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, (sys.argv[1], int(sys.argv[2])))
try:
    client = socket.socket(family)
    client.connect(address)
    print("at", client.getsockname()[1] if len(sys.argv) > 2 else "a path")
    client.sendall(b"\\x05\\x01\\x00")
    print("answered", client.recv(2).hex())
except OSError as error:
    print(type(error).__name__)
`;

/** What a user's client comes to: `answered 0500`, or how it ended. */
async function clientOf(uid: number, ...at: (string | number)[]): Promise<string> {
  const args = [
    "--reuid",
    String(uid),
    "--clear-groups",
    "/usr/bin/python3",
    "-c",
    CLIENT,
    ...at.map(String),
  ];
  const { stdout } = await run("setpriv", args);
  return stdout.trim().split("\n").at(-1) ?? "";
}

/** A Unix socket has no reset: what was not read makes one of its end, and else it is an end. */
const CUT = /^(ConnectionResetError|BrokenPipeError|answered)$/;

async function served(t: TestContext, owners: unknown) {
  const dir = await scratch(t);
  // For others to come as far as the socket.
  await chmod(dir, 0o755);
  const socket = path.join(dir, "proxy");
  const addresses = ["127.0.0.1:0", "[::1]:0", `unix:${socket}`];
  const { proxy } = await proxiedRealm(t, {
    listeners: addresses.map((address) => ({ address, methods: ["none"], owners })),
    timeouts: { drain: "0s" },
  });
  await chmod(socket, 0o666);
  return { proxy, socket };
}

/** What the log says, once it has said it so many times. */
async function refused(proxy: ProxyServer, count: number): Promise<LogLine[]> {
  const lines = () => proxy.log().filter(({ msg }) => msg === "connection refused");
  await until(`${count} are refused`, () => lines().length >= count);
  return lines();
}

test("this user alone", { skip }, async (t) => {
  const { proxy, socket } = await served(t, ["self"]);
  const [ipv4 = 0, ipv6 = 0] = proxy.ports;
  for (const at of [["127.0.0.1", ipv4], ["::1", ipv6], [socket]]) {
    assert.equal(await clientOf(0, ...at), "answered 0500", String(at));
    assert.match(await clientOf(OTHER, ...at), CUT, String(at));
  }
  const lines = await refused(proxy, 3);
  for (const { code, uid, reason } of lines)
    assert.deepEqual(
      [code, uid, reason],
      ["NOT_OWNER", OTHER, `uid ${OTHER} is none of the listener's owners`],
    );
  assert.match(String(lines[0]?.client), /^127\.0\.0\.1:\d+$/);
  assert.match(String(lines[2]?.client), /^unix:uid=54321,pid=\d+$/);
  assert.equal(proxy.log().filter(({ msg }) => msg === "session opened").length, 3);
});

test("others by number and by name, and not root", { skip }, async (t) => {
  const { proxy, socket } = await served(t, ["games", OTHER]);
  const [ipv4 = 0, ipv6 = 0] = proxy.ports;
  const games = Number((await run("id", ["-u", "games"])).stdout);
  for (const at of [["127.0.0.1", ipv4], ["::1", ipv6], [socket]]) {
    for (const uid of [games, OTHER]) assert.equal(await clientOf(uid, ...at), "answered 0500", String(at));
    for (const uid of [0, OTHER + 1]) assert.match(await clientOf(uid, ...at), CUT, String(at));
  }
  assert.equal((await refused(proxy, 6)).length, 6);

  await t.test("a reload", async () => {
    await proxy.rewrite({ listeners: [{ address: "127.0.0.1:0", methods: ["none"], owners: [OTHER + 1] }] });
    proxy.signal("SIGHUP");
    await proxy.waitForLog(({ msg }) => msg === "reloaded");
    assert.equal(await clientOf(OTHER + 1, "127.0.0.1", ipv4), "answered 0500");
    assert.match(await clientOf(OTHER, "127.0.0.1", ipv4), CUT);
  });
});

test("datagrams of another user", { skip }, async (t) => {
  const { proxy } = await served(t, ["self"]);
  const answering = await Peer.bind(t);
  answering.socket.on("message", (data, { address, port }) => answering.socket.send(data, port, address));
  const client = await CommandClient.ready(proxy, "no authentication");
  t.after(() => client.close());
  const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, endpoint("0.0.0.0", 0));
  assert.equal(rep, REP.SUCCEEDED);
  // First come would be first served: nothing is sealed here.
  const datagram = client.datagram(answering.endpoint, Buffer.from("theirs")).toString("hex");
  const send = `
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.sendto(bytes.fromhex("${datagram}"), ("127.0.0.1", ${bnd.port}))
print("sent", flush=True)
sys.stdin.read()
`;
  const as = ["--reuid", String(OTHER), "--clear-groups", "/usr/bin/python3", "-c", send];
  await (await start("setpriv", as, { test: t })).waitForLine(/^sent$/);
  const datagrams = new Datagrams(client, await Peer.bind(t), bnd);
  await datagrams.send(answering.endpoint, Buffer.from("ours"));
  assert.equal((await datagrams.next()).data.toString(), "ours");
  client.raw.socket.end();
  const closed = await proxy.waitForLog(({ msg }) => msg === "association closed");
  assert.deepEqual(closed.dropped, { ...(closed.dropped as object), stranger: 1 });
});

test("workers look as well, and many come at once", { skip }, async (t) => {
  const { proxy } = await proxiedRealm(t, {
    listeners: [{ address: "*:0" }, { address: "127.0.0.1:0", methods: ["none"], owners: ["self"] }],
    workers: 2,
    timeouts: { drain: "0s" },
  });
  const port = proxy.ports[1] as number;
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, index) => clientOf(index % 2 === 0 ? 0 : OTHER, "127.0.0.1", port)),
  );
  for (const [index, outcome] of outcomes.entries())
    assert.match(outcome, index % 2 === 0 ? /^answered 0500$/ : CUT);
  assert.equal((await refused(proxy, 6)).length, 6);
});

test("a user whom nobody knows", {
  skip: process.platform !== "linux" && "owners are for Linux",
}, async (t) => {
  const file = path.join(await scratch(t), "config.yaml");
  const listeners = [{ address: "127.0.0.1:0", methods: ["none"], owners: ["no-such-user-here"] }];
  await writeFile(file, stringify({ listeners }));
  const { code, stderr } = await gssocks(["serve", "--config", file]);
  assert.equal(code, 1);
  assert.match(stderr, /the user "no-such-user-here" is not known: there is no such user \(owners\)/);
});
