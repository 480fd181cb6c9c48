/**
 * What is tested: SOCKS4 and 4a through `gssocks serve`, with the client's CD, the log and the audit record of each: a
 * real oidentd that vouches for the client or does not, identds that are away, slow or talk nonsense, one for all clients;
 * USERIDs taken at their word, none, and a list of those that may pass; rules with `method`; BIND; names; GSS-API on the
 * same port; clients that others wrote, as another user of the system.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { scratch } from "../support/identd.js";
import { needsRoot, oidentd } from "../support/oidentd.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { type LogLine, ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { refusal } from "../support/refusal.js";
import { showOnFailure } from "../support/show-on-failure.js";

/** Loopback addresses that clients come from: each has another identd, or none, on the same port. */
const FROM = {
  oidentd: "127.0.0.1",
  nothing: "127.0.0.4",
  refusing: "127.0.0.5",
  garbage: "127.0.0.6",
  silent: "127.0.0.7",
  closing: "127.0.0.8",
  mistaken: "127.0.0.9",
};

/** A request. `name` makes it 4a. */
function request(
  user: string,
  port: number,
  { cmd = 1, address = "127.0.0.1", name = "" }: { cmd?: number; address?: string; name?: string } = {},
): Buffer {
  const ip = name === "" ? address.split(".").map(Number) : [0, 0, 0, 1];
  const text = `${user}\0${name === "" ? "" : `${name}\0`}`;
  return Buffer.concat([Buffer.of(4, cmd, port >> 8, port & 0xff, ...ip), Buffer.from(text)]);
}

/** Of a reply: CD, and the address behind it. */
async function reply(client: RawClient): Promise<{ cd: number; port: number; address: string }> {
  const octets = await client.read(8);
  assert.equal(octets[0], 0, "VN");
  return { cd: octets.readUInt8(1), port: octets.readUInt16BE(2), address: octets.subarray(4).join(".") };
}

async function answering(t: TestContext, host: string, answer: string | null, port: number): Promise<Origin> {
  const identd = await Origin.start(
    (socket) => {
      socket.once("data", (query) => {
        if (answer !== null) socket.end(answer.replace("PORTS", query.toString().trim()));
      });
    },
    host,
    port,
  );
  t.after(() => identd.stop());
  return identd;
}

async function started(t: TestContext, serve: (socket: Socket) => void): Promise<Origin> {
  const origin = await Origin.start(serve);
  t.after(() => origin.stop());
  return origin;
}

function fields(record: LogLine, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}

/** All that is granted looks like this, and carries octets both ways. */
async function assertGranted(
  proxy: ProxyServer,
  client: RawClient,
  destination: Origin,
  who: { method: string; principal: string | null },
): Promise<LogLine> {
  const { cd, port, address } = await reply(client);
  assert.deepEqual({ cd, address }, { cd: 90, address: "127.0.0.1" });
  client.send(Buffer.from("hello"));
  assert.equal((await client.read(5)).toString(), "hello");
  assert.ok(destination.sockets.some(({ remotePort }) => remotePort === port));
  client.socket.end();
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
  const line = await proxy.waitForLog(
    (each) => each.msg === "authenticated" && each.client === client.address,
  );
  assert.deepEqual(fields(line, ["method", "principal", "mechanism"]), { ...who, mechanism: null });
  const record = await proxy.audit((each) => each.client === client.address);
  const said = { ...who, command: "connect", outcome: "completed", code: null, bytesUp: 5, bytesDown: 5 };
  assert.deepEqual(fields(record, Object.keys(said)), said);
  client.close();
  return record;
}

/** CD and the audit record's outcome. */
const REFUSALS = {
  IDENT_MISMATCH: [93, "denied"],
  IDENT_REFUSED: [93, "denied"],
  IDENT_UNAVAILABLE: [92, "failed"],
  BAD_IDENT_RESPONSE: [91, "failed"],
  IDENT_WRONG_PORTS: [91, "failed"],
  USER_NOT_ALLOWED: [91, "denied"],
  RULE_DENIED: [91, "denied"],
  DESTINATION_REFUSED: [91, "failed"],
} as const;

interface Refused {
  code: keyof typeof REFUSALS;
  reason: RegExp;
  /** As far as it is known: a client that an identd does not stand by is nobody. */
  method?: string | null;
  principal?: string | null;
}

async function assertRefused(proxy: ProxyServer, client: RawClient, refused: Refused): Promise<void> {
  const { code, reason, method = null, principal = null } = refused;
  const [cd, outcome] = REFUSALS[code];
  assert.deepEqual(await reply(client), { cd, port: 0, address: "0.0.0.0" });
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
  client.close();
  const line = await refusal(proxy, client.address, outcome);
  assert.deepEqual([line.code, line.step, line.principal], [code, "reply", principal]);
  assert.match(String(line.reason), reason);
  const record = await proxy.audit((each) => each.client === client.address);
  assert.deepEqual(fields(record, ["method", "address"]), { method, address: null });
}

test("SOCKS4", { skip: needsRoot }, async (t) => {
  const origin = await started(t, echo);
  const empties = await started(t, echo);
  const guarded = await started(t, echo);
  const port = await oidentd(t, FROM.oidentd);
  const hiding = path.join(await scratch(t), "oidentd.conf");
  await writeFile(hiding, "default { default { force hide } }\n");
  await oidentd(t, FROM.refusing, ["--config", hiding], port);
  await answering(t, FROM.garbage, "HTTP/1.1 400 Bad Request\r\n\r\n", port);
  await answering(t, FROM.closing, "", port);
  await answering(t, FROM.mistaken, "1,2:USERID:UNIX:root\r\n", port);

  const listener = (socks4?: object) => ({ address: "127.0.0.1:0", ...(socks4 && { socks4 }) });
  const { proxy, realm } = await proxiedRealm(t, {
    listeners: [
      listener({ identity: "ident" }),
      listener({ identity: "ident", users: ["games"] }),
      listener({ identity: "asserted", users: ["alice", "bob"] }),
      listener({ identity: "none" }),
      listener(),
    ],
    ident: { port, timeout: "20s" },
    rules: [
      { allow: { to: [`127.0.0.1:${empties.port}`], method: ["empty"] } },
      { deny: { to: [`127.0.0.1:${guarded.port}`], method: ["asserted", "none"] } },
      { deny: { to: ["*.bank.test"] } },
      { allow: { to: ["127.0.0.0/8", "localhost"] } },
    ],
  });
  const [ident, listed, asserted, none, off] = proxy.ports as [number, number, number, number, number];

  async function ask(to: number, octets: Buffer, from?: string, host = "127.0.0.1"): Promise<RawClient> {
    const client = await RawClient.connect(to, host, from);
    client.send(octets);
    return client;
  }

  const granted: readonly [
    what: string,
    listener: number,
    user: string,
    from: string,
    destination: Origin,
    method: string,
    rule: number,
  ][] = [
    ["the identd names the same user", ident, "root", FROM.oidentd, origin, "ident", 4],
    ["a rule denies other methods there", ident, "root", FROM.oidentd, guarded, "ident", 4],
    ["asserted: no identd is asked", asserted, "alice", FROM.nothing, origin, "asserted", 4],
    ["asserted, in the list of users", asserted, "bob", FROM.nothing, origin, "asserted", 4],
    ["none: USERID is not looked at", none, "alice", FROM.nothing, origin, "none", 4],
    ["none, without a USERID", none, "", FROM.nothing, origin, "none", 4],
    ["an empty USERID, which a rule names", ident, "", FROM.nothing, empties, "empty", 1],
    ["... and where users are listed", asserted, "", FROM.nothing, empties, "empty", 1],
  ];
  for (const [what, listener, user, from, destination, method, rule] of granted) {
    await t.test(`90: ${what}`, async () => {
      const client = await ask(listener, request(user, destination.port), from);
      const principal = method === "none" || method === "empty" ? null : user;
      const record = await assertGranted(proxy, client, destination, { method, principal });
      assert.deepEqual([record.rule, record.destination], [rule, `127.0.0.1:${destination.port}`]);
    });
  }

  const notListed = /^the user "root" is not in socks4\.users$/;
  const refused: readonly [
    what: string,
    listener: number,
    user: string,
    from: string,
    code: Refused["code"],
    reason: RegExp,
  ][] = [
    ["another user", ident, "games", FROM.oidentd, "IDENT_MISMATCH", /"games", its identd "root"$/],
    ["ERROR", ident, "root", FROM.refusing, "IDENT_REFUSED", /5:\d+ answers ERROR : HIDDEN-USER$/],
    ["an early end", ident, "root", FROM.closing, "IDENT_REFUSED", /8:\d+ closed without an answer$/],
    ["no identd", ident, "root", FROM.nothing, "IDENT_UNAVAILABLE", /answers at .*4:\d+: ECONNREFUSED$/],
    ["nonsense", ident, "root", FROM.garbage, "BAD_IDENT_RESPONSE", /6:\d+: it is neither USERID nor ERROR/],
    ["another query", ident, "root", FROM.mistaken, "IDENT_WRONG_PORTS", /is for ports 1,2, the query was/],
    ["not listed, whatever the identd says", listed, "root", FROM.oidentd, "USER_NOT_ALLOWED", notListed],
    ["asserted, not listed", asserted, "root", FROM.nothing, "USER_NOT_ALLOWED", notListed],
  ];
  for (const [what, listener, user, from, code, reason] of refused) {
    await t.test(`${REFUSALS[code][0]}: ${what}`, async () => {
      await assertRefused(proxy, await ask(listener, request(user, origin.port), from), { code, reason });
    });
  }

  const denied: readonly [
    what: string,
    listener: number,
    user: string,
    to: Origin,
    reason: RegExp,
    method: string,
  ][] = [
    ["no rule names it", ident, "", origin, /needs a rule whose `method` names `empty`; /, "empty"],
    ["a rule denies it", asserted, "alice", guarded, /rule 2 denies .*, method asserted$/, "asserted"],
    ["a rule denies it", none, "alice", guarded, /rule 2 denies .*, method none$/, "none"],
  ];
  for (const [what, listener, user, to, reason, method] of denied) {
    await t.test(`91: method ${method}: ${what}`, async () => {
      const client = await ask(listener, request(user, to.port), FROM.nothing);
      const principal = method === "asserted" ? user : null;
      await assertRefused(proxy, client, { code: "RULE_DENIED", reason, method, principal });
    });
  }

  await t.test("91: the destination refuses", async () => {
    const gone = await Origin.start(echo);
    const { port } = gone;
    await gone.stop();
    const reason = /connection refused/;
    const refused = { code: "DESTINATION_REFUSED", reason, method: "none" } as const;
    await assertRefused(proxy, await ask(none, request("", port)), refused);
  });

  await t.test("off: closed, and the log says what would turn it on", async () => {
    const client = await ask(off, request("root", origin.port), FROM.oidentd);
    assert.equal((await client.farewell()).octets.length, 0);
    client.close();
    const line = await refusal(proxy, client.address);
    assert.deepEqual([line.code, line.step], ["BAD_VERSION", "method selection"]);
    assert.match(String(line.reason), /SOCKS4, which is not taken here: `socks4` of a listener turns it on$/);
  });

  await t.test("GSS-API on the same ports", async () => {
    for (const port of [ident, asserted, none, off]) {
      const client = await RawClient.through({ port }, origin);
      client.socket.end();
      const record = await proxy.audit((each) => each.client === client.address);
      assert.deepEqual(fields(record, ["method", "principal", "outcome"]), {
        method: "gssapi",
        principal: "alice@EXAMPLE.TEST",
        outcome: "completed",
      });
      client.close();
    }
  });

  await t.test("4a: a name, and one that no rule allows", async () => {
    const client = await ask(ident, request("root", origin.port, { name: "localhost" }), FROM.oidentd);
    const who = { method: "ident", principal: "root" };
    const record = await assertGranted(proxy, client, origin, who);
    assert.deepEqual(fields(record, ["destination", "address", "rule"]), {
      destination: `localhost:${origin.port}`,
      address: `127.0.0.1:${origin.port}`,
      rule: 4,
    });
    const denied = await ask(ident, request("root", 80, { name: "www.bank.test" }), FROM.oidentd);
    await assertRefused(proxy, denied, {
      code: "RULE_DENIED",
      reason: /^www\.bank\.test:80 is denied: rule 3 denies \*\.bank\.test$/,
      ...who,
    });
  });

  await t.test("BIND: two replies, then data", async (t) => {
    const client = await ask(ident, request("root", 0, { cmd: 2 }), FROM.oidentd);
    const first = await reply(client);
    assert.deepEqual([first.cd, first.address], [90, "127.0.0.1"]);
    const peer = connect({ port: first.port, host: first.address, localAddress: "127.0.0.1" });
    t.after(() => peer.destroy());
    await once(peer, "connect");
    const { localPort } = peer;
    assert.deepEqual(await reply(client), { cd: 90, port: localPort, address: "127.0.0.1" });
    peer.end("from the peer");
    assert.equal((await client.read(13)).toString(), "from the peer");
    client.socket.end("from the client");
    assert.equal(Buffer.concat(await peer.toArray()).toString(), "from the client");
    const record = await proxy.audit((each) => each.client === client.address);
    const said = { method: "ident", principal: "root", command: "bind", outcome: "completed", rule: 4 };
    assert.deepEqual(fields(record, Object.keys(said)), said);
    assert.deepEqual([record.address, record.bytesUp], [`127.0.0.1:${localPort}`, 15]);
    client.close();
  });

  await t.test("BIND for a peer that no rule allows", async () => {
    const octets = request("root", 0, { cmd: 2, address: "198.51.100.7" });
    await assertRefused(proxy, await ask(ident, octets, FROM.oidentd), {
      code: "RULE_DENIED",
      reason: /^198\.51\.100\.7:0 is denied: no rule matches$/,
      method: "ident",
      principal: "root",
    });
  });

  await t.test("others' clients, run by another user", async (t) => {
    const web = await started(t, (socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
    });
    const asGames = (command: string, args: readonly string[], input = "") =>
      run("setpriv", ["--reuid", "games", "--clear-groups", command, ...args], { input, env: realm.env });
    const url = `http://127.0.0.1:${web.port}/`;
    const curl = (scheme: string, to = url) =>
      asGames("curl", [
        ...["-q", "-sS", "--max-time", "20", "--noproxy", ""],
        ...["--proxy", `${scheme}://games@127.0.0.1:${listed}`, to],
      ]);
    assert.equal((await curl("socks4")).stdout, "hello");
    assert.equal((await curl("socks4a", url.replace("127.0.0.1", "localhost"))).stdout, "hello");
    const address = `SOCKS4A:127.0.0.1:localhost:${origin.port}`;
    const options = `socksport=${listed},socksuser=games`;
    const socat = await asGames("socat", ["-t", "20", "-", `${address},${options}`], "socat");
    assert.equal(socat.stdout, "socat");
    const isGames = ({ principal, method, outcome }: LogLine) =>
      principal === "games" && method === "ident" && outcome === "completed";
    await proxy.waitForLog(() => proxy.audits().filter(isGames).length === 3);
    // It has no user name to give.
    const nc = ["-N", "-X", "4", "-x", `127.0.0.1:${listed}`, "127.0.0.1"];
    assert.equal((await asGames("nc", [...nc, String(empties.port)], "netcat")).stdout, "netcat");
    await assert.rejects(
      run("curl", [
        "-q",
        "-sS",
        "--interface",
        FROM.oidentd,
        "-x",
        `socks4://games@127.0.0.1:${listed}`,
        url,
      ]),
      /SOCKS4/,
    );
  });

  await t.test("92: an identd that is slow, and too many clients that wait for it", async (t) => {
    const silent = await answering(t, FROM.silent, null, port);
    const impatient = await ProxyServer.start(realm, {
      listeners: [listener({ identity: "ident" })],
      ident: { port, timeout: "3s", concurrency: 1 },
    });
    t.after(() => impatient.stop());
    const first = await ask(impatient.port, request("root", origin.port), FROM.silent);
    // Its query is there, so one of the others waits for its end, and the last one finds no seat.
    await silent.next();
    const others = [1, 2].map(() => ask(impatient.port, request("root", origin.port), FROM.silent));
    const lines = await Promise.all(
      [first, ...(await Promise.all(others))].map(async (client) => {
        assert.equal((await reply(client)).cd, 92);
        client.close();
        return impatient.waitForLog(
          (each) => each.msg === "session failed" && each.client === client.address,
        );
      }),
    );
    assert.deepEqual(lines.map(({ code }) => code).sort(), [
      "IDENT_BUSY",
      "IDENT_UNAVAILABLE",
      "IDENT_UNAVAILABLE",
    ]);
    assert.match(String(lines[0]?.reason), /^no answer from the identd at 127\.0\.0\.7:\d+ within 3 s$/);
  });

  await t.test("one identd for all clients", async (t) => {
    const elsewhere = await oidentd(t, "127.0.0.10", ["--proxy", "127.0.0.1"]);
    const routed = await ProxyServer.start(realm, {
      // Of connections to its --proxy oidentd says nothing.
      listeners: [{ address: "127.0.0.2:0", socks4: { identity: "ident" } }],
      ident: { server: `127.0.0.10:${elsewhere}`, timeout: "20s" },
    });
    showOnFailure(t, () => routed.logs());
    t.after(() => routed.stop());
    const client = await ask(routed.port, request("root", origin.port), FROM.nothing, "127.0.0.2");
    await assertGranted(routed, client, origin, { method: "ident", principal: "root" });
    const other = await ask(routed.port, request("games", origin.port), FROM.nothing, "127.0.0.2");
    await assertRefused(routed, other, {
      code: "IDENT_MISMATCH",
      reason: /its identd "root"$/,
    });
  });
});
