/**
 * `gssocks identd` passes queries about connections that are not the proxy's to oidentd: the owner is told to the
 * connection's other end and to nobody else, although oidentd would tell any forwarder; the proxy's own connections are
 * never passed on; a source that fails is not passed over.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type Identd, netcat, startIdentd } from "../support/identd.js";
import { connectionOf, needsRoot, oidentd } from "../support/oidentd.js";
import { Proxying } from "../support/outgoing.js";

const HOST = "127.0.0.3";
const OTHER = "127.0.0.2";
const BACK = [OTHER, HOST] as const;

async function forwarding(t: TestContext, port: number): Promise<{ proxying: Proxying; identd: Identd }> {
  const proxying = await Proxying.prepare(t);
  const options = { address: `${HOST}:0`, socket: proxying.socket, forward: `127.0.0.1:${port}` };
  return { proxying, identd: await startIdentd(t, options) };
}

test("oidentd is asked about what is not the proxy's", { skip: needsRoot }, async (t) => {
  // It is told the ports alone, by an address that is not the other end's.
  const system = await oidentd(t, "127.0.0.1", ["--proxy", "127.0.0.1"]);
  const { proxying, identd } = await forwarding(t, system);
  await proxying.open();
  const games = await connectionOf(t, "games", [HOST, OTHER]);
  const ports = `${games.local.port},${games.remote.port}`;

  await t.test("the true owner", async () => {
    assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:USERID:UNIX:games\r\n`);
    const line = await identd.log(({ msg }) => msg === "ident answered");
    assert.deepEqual([line.source, line.answer], ["system", "USERID : UNIX : games"]);
  });

  await t.test("only to the other end of the connection", async () => {
    const direct = await netcat(["127.0.0.1", "127.0.0.1"], system, `${ports}\r\n`);
    assert.equal(direct, `${ports}:USERID:UNIX:games\r\n`, "oidentd tells its forwarder");
    const another = await netcat(["127.0.0.4", HOST], identd.port, `${ports}\r\n`);
    assert.equal(another, `${ports}:ERROR:NO-USER\r\n`);
  });

  await t.test("the proxy's own connections are the users', not the proxy's", async () => {
    const alices = await proxying.connect({ session: "a", user: "alice@EXAMPLE.TEST" }, [HOST, OTHER]);
    const anonymous = await proxying.connect({ session: "b", user: null }, [HOST, OTHER]);
    const [first, second] = [alices, anonymous].map(({ local, remote }) => `${local.port},${remote.port}`);
    assert.equal(
      await netcat(BACK, identd.port, `${first}\r\n${second}\r\n`),
      `${first}:USERID:UNIX:alice\r\n${second}:ERROR:HIDDEN-USER\r\n`,
    );
    alices.remove();
    // By now it is a connection like any other, of the user that runs the tests.
    assert.equal(await netcat(BACK, identd.port, `${first}\r\n`), `${first}:USERID:UNIX:root\r\n`);
  });
});

test("oidentd refuses and is believed", { skip: needsRoot }, async (t) => {
  // Without --proxy it looks for the forwarder's own connections.
  const { proxying, identd } = await forwarding(t, await oidentd(t, "127.0.0.1"));
  await proxying.open();
  const { local, remote } = await connectionOf(t, "games", [HOST, OTHER]);
  const ports = `${local.port},${remote.port}`;
  assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:ERROR:NO-USER\r\n`);
  const line = await identd.log(({ msg }) => msg === "ident answered");
  assert.deepEqual([line.source, line.answer], ["system", "ERROR : NO-USER"]);
});

test("a source that fails is not passed over", { skip: needsRoot }, async (t) => {
  await t.test("the system's identd is away", async (t) => {
    const { proxying, identd } = await forwarding(t, 1);
    const { local, remote } = await (await proxying.open()).connect({ session: "a", user: "a" }, [
      HOST,
      OTHER,
    ]);
    const games = await connectionOf(t, "games", [HOST, OTHER]);
    const [alices, ports] = [`${local.port},${remote.port}`, `${games.local.port},${games.remote.port}`];
    assert.equal(
      await netcat(BACK, identd.port, `${ports}\r\n${alices}\r\n`),
      `${ports}:ERROR:UNKNOWN-ERROR\r\n${alices}:USERID:UNIX:a\r\n`,
    );
    const line = await identd.log(({ msg }) => msg === "ident source failed");
    assert.deepEqual(
      [line.source, line.reason],
      ["system", "no identd answers at 127.0.0.1:1: ECONNREFUSED"],
    );
  });

  await t.test("the proxy is there but does not answer", async (t) => {
    const system = await oidentd(t, "127.0.0.1", ["--proxy", "127.0.0.1"]);
    const { proxying, identd } = await forwarding(t, system);
    const deaf = createServer((socket) => socket.end()).listen(proxying.socket);
    t.after(() => deaf.close());
    const { local, remote } = await proxying.connect({ session: "a", user: "a" }, [HOST, OTHER]);
    const ports = `${local.port},${remote.port}`;
    assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:ERROR:UNKNOWN-ERROR\r\n`);
    const line = await identd.log(({ msg }) => msg === "ident source failed");
    assert.deepEqual([line.source, line.code], ["proxy", "IDENT_REFUSED"]);
  });
});
