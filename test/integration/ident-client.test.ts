/**
 * Our Ident client asks oidentd, which others wrote and which knows the true owner of every connection of this host:
 * about connections of another user, of ours, and about one that does not exist; with and without a charset.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { IdentClient, type IdentPair, IdentRefusedError } from "../../src/auth/ident-client.js";
import { connectionOf, needsRoot, type OwnedConnection, oidentd } from "../support/oidentd.js";

const CLIENT = "127.0.0.3";
const SERVER = "127.0.0.2";

function pairOf({ local, remote }: OwnedConnection): IdentPair {
  return {
    clientAddress: local.address,
    clientPort: local.port,
    serverAddress: remote.address,
    serverPort: remote.port,
  };
}

async function client(t: TestContext, ...options: string[]): Promise<IdentClient> {
  return new IdentClient({ port: await oidentd(t, CLIENT, options), timeout: 20_000, concurrency: 4 });
}

test("oidentd tells who owns a connection", {
  skip: needsRoot,
}, async (t) => {
  const [games, root] = await Promise.all([
    connectionOf(t, "games", [CLIENT, SERVER]),
    connectionOf(t, "root", [CLIENT, SERVER]),
  ]);
  const plain = await client(t);
  const unix = { opsys: "UNIX", charset: null };
  assert.deepEqual(await plain.ask(pairOf(games)), { user: "games", ...unix });
  assert.deepEqual(await plain.ask(pairOf(root)), { user: "root", ...unix });

  await t.test("many at once", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => plain.ask(pairOf(games))));
    assert.deepEqual(new Set(answers.map(({ user }) => user)), new Set(["games"]));
  });

  await t.test("IPv4-mapped addresses are the IPv4 addresses that they stand for", async () => {
    const mapped = { clientAddress: `::ffff:${CLIENT}`, serverAddress: `::ffff:${SERVER}` };
    assert.deepEqual(await plain.ask({ ...pairOf(games), ...mapped }), { user: "games", ...unix });
  });

  await t.test("a charset and an operating system of its own", async (t) => {
    const other = await client(t, "--charset", "UTF-8", "--other");
    assert.deepEqual(await other.ask(pairOf(games)), { user: "games", opsys: "OTHER", charset: "UTF-8" });
  });

  await t.test("asked from another address than ours it knows no such connection", async () => {
    await assert.rejects(plain.ask({ ...pairOf(games), serverAddress: "127.0.0.4" }), refused("NO-USER"));
  });

  await t.test(
    "an identd elsewhere, which answers for the client's host, is told the ports alone",
    async (t) => {
      const port = await oidentd(t, "127.0.0.9", ["--proxy", "127.0.0.1"]);
      const elsewhere = new IdentClient({
        server: { host: "127.0.0.9", port },
        timeout: 20_000,
        concurrency: 4,
      });
      // To an address of loopback the system picks 127.0.0.1, so oidentd goes by the ports.
      assert.deepEqual(await elsewhere.ask(pairOf(games)), { user: "games", ...unix });
      await assert.rejects(elsewhere.ask({ ...pairOf(games), clientPort: 1 }), refused("NO-USER"));
    },
  );
});

test("oidentd refuses", { skip: needsRoot }, async (t) => {
  const pair = { clientAddress: CLIENT, clientPort: 1, serverAddress: SERVER, serverPort: 1 };
  await assert.rejects((await client(t)).ask(pair), refused("NO-USER"));
  await assert.rejects((await client(t)).ask({ ...pair, serverPort: 0 }), refused("INVALID-PORT"));
  await assert.rejects((await client(t, "--error")).ask(pair), refused("UNKNOWN-ERROR"));
});

function refused(kind: string) {
  return (error: unknown) => {
    assert.ok(error instanceof IdentRefusedError, String(error));
    assert.deepEqual([error.code, error.kind], ["IDENT_REFUSED", kind]);
    assert.match(error.message, new RegExp(`^the identd at [\\d.]+:\\d+ answers ERROR : ${kind}$`));
    return true;
  };
}
