/**
 * `gssocks identd` answers, from what the serving process knows, who is behind a connection: to netcat and to our own
 * client, by name or by token, one query or more a connection, and only to the connection's other end. The proxy may
 * start after it, and be away.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IdentClient } from "../../src/auth/ident-client.js";
import { netcat, startIdentd } from "../support/identd.js";
import { type MadeConnection, Proxying } from "../support/outgoing.js";

const PROXY = "127.0.0.3";
const DESTINATION = "127.0.0.2";
const WAY = [PROXY, DESTINATION] as const;
const BACK = [DESTINATION, PROXY] as const;

const ALICE = { session: "0123456789abcdef", user: "alice@EXAMPLE.TEST" };

function query({ local, remote }: MadeConnection): string {
  return `${local.port},${remote.port}`;
}

test("by name", async (t) => {
  const proxying = await (await Proxying.prepare(t)).open();
  const identd = await startIdentd(t, { address: `${PROXY}:0`, socket: proxying.socket });
  const alices = await proxying.connect(ALICE, WAY);
  const bobs = await proxying.connect({ session: "b", user: "bob" }, WAY);

  await t.test("netcat, one query and two on a connection", async () => {
    const one = await netcat(BACK, identd.port, `${query(alices)}\r\n`);
    assert.equal(one, `${query(alices)}:USERID:UNIX:alice\r\n`);
    const two = await netcat(
      BACK,
      identd.port,
      `${query(bobs)}\n ${query(alices).replace(",", "\t, ")} \r\n`,
    );
    assert.equal(two, `${query(bobs)}:USERID:UNIX:bob\r\n${query(alices)}:USERID:UNIX:alice\r\n`);
  });

  await t.test("it is logged, with who asked", async () => {
    const line = await identd.log(({ msg }) => msg === "ident answered");
    assert.match(String(line.client), /^127\.0\.0\.2:\d+$/);
    const { address, ports, source, answer, severity } = line;
    assert.deepEqual(
      { address, ports, source, answer, severity },
      {
        address: PROXY,
        ports: query(alices),
        source: "proxy",
        answer: "USERID : UNIX : alice",
        severity: "info",
      },
    );
  });

  await t.test("our own client", async () => {
    const client = new IdentClient({ port: identd.port, timeout: 20_000, concurrency: 1 });
    const answer = await client.ask({
      clientAddress: alices.local.address,
      clientPort: alices.local.port,
      serverAddress: alices.remote.address,
      serverPort: alices.remote.port,
    });
    assert.deepEqual(answer, { user: "alice", opsys: "UNIX", charset: null });
  });

  await t.test("nobody but the other end is told, and only the right way round", async () => {
    const noUser = (ports: string) => `${ports}:ERROR:NO-USER\r\n`;
    const ports = query(alices);
    assert.equal(await netcat(["127.0.0.4", PROXY], identd.port, `${ports}\r\n`), noUser(ports));
    const reversed = `${alices.remote.port},${alices.local.port}`;
    assert.equal(await netcat(BACK, identd.port, `${reversed}\r\n`), noUser(reversed));
  });

  await t.test("what is no query, and ports that cannot be", async () => {
    assert.equal(await netcat(BACK, identd.port, "65536,1\r\n"), "65536,1:ERROR:INVALID-PORT\r\n");
    assert.equal(await netcat(BACK, identd.port, "0,1\r\n"), "0,1:ERROR:INVALID-PORT\r\n");
    assert.equal(await netcat(BACK, identd.port, "GET / HTTP/1.1\r\n"), "0,0:ERROR:INVALID-PORT\r\n");
  });

  await t.test("no longer when the session has ended", async () => {
    bobs.remove();
    assert.equal(await netcat(BACK, identd.port, `${query(bobs)}\r\n`), `${query(bobs)}:ERROR:NO-USER\r\n`);
  });

  await t.test("SIGTERM ends it in good order", async () => {
    assert.deepEqual(await identd.process.stop(), { code: 0, signal: null });
    assert.equal(identd.process.stderr(), "");
    assert.match(identd.process.stdout(), /"msg":"stopped"\}\n$/);
  });
});

test("by token: the session's id, which the audit trail resolves", async (t) => {
  const proxying = await (await Proxying.prepare(t)).open("token");
  const options = { address: `${PROXY}:0`, socket: proxying.socket, answer: "token", unknown: "hidden-user" };
  const identd = await startIdentd(t, options);
  const alices = await proxying.connect(ALICE, WAY);
  const answer = await netcat(BACK, identd.port, `${query(alices)}\r\n`);
  assert.equal(answer, `${query(alices)}:USERID:OTHER:${ALICE.session}\r\n`);
  assert.equal(await netcat(BACK, identd.port, "1,2\r\n"), "1,2:ERROR:HIDDEN-USER\r\n");
  assert.ok(!identd.process.stdout().includes("alice"));
});

test("the proxy is not running yet", async (t) => {
  const proxying = await Proxying.prepare(t);
  const identd = await startIdentd(t, { address: `${PROXY}:0`, socket: proxying.socket });
  assert.equal(await netcat(BACK, identd.port, "1,2\r\n"), "1,2:ERROR:NO-USER\r\n");
  const line = await identd.log(({ msg }) => msg === "ident source failed");
  assert.deepEqual(
    [line.severity, line.client, line.source, line.code, line.reason],
    ["warn", DESTINATION, "proxy", "IDENT_UNAVAILABLE", `no identd answers at ${proxying.socket}: ENOENT`],
  );
  await proxying.open();
  const alices = await proxying.connect(ALICE, WAY);
  const answer = await netcat(BACK, identd.port, `${query(alices)}\r\n`);
  assert.equal(answer, `${query(alices)}:USERID:UNIX:alice\r\n`);
});
