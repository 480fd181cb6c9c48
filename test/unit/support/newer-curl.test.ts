// The fetched curl: new enough, with GSS-API, under a realm's configuration, and cached.
import assert from "node:assert/strict";
import test from "node:test";
import { newerCurl } from "../../support/newer-curl.js";
import { run, runToEnd } from "../../support/processes.js";
import { pythonAcceptor } from "../../support/python.js";
import { Realm } from "../../support/realm.js";

test("the newer curl authenticates with the realm's ticket", async (t) => {
  const curl = await newerCurl();
  assert.equal(await newerCurl(), curl);
  const { stdout } = await run(curl, ["--version"]);
  assert.match(stdout, /^curl (8\.[2-9]\d|9)\./);
  assert.match(stdout, /^Features:.* GSS-API/m);

  const realm = await Realm.start();
  t.after(() => realm.stop());
  await realm.kinit("bob");
  // It can't seal: it goes on only if the answer is level 0 (docs/protocol.md).
  const acceptor = await pythonAcceptor({ answer: 0 }, { env: realm.env, test: t });
  const proxy = `socks5h://localhost:${acceptor.port}`;
  const args = ["-sS", "--socks5-gssapi", "-x", proxy, `http://127.0.0.1:${realm.kdcPort}/`];
  await runToEnd(curl, [...args, "--max-time", "5"], { env: realm.env });
  const { initiator, offered, target } = await acceptor.connection();
  assert.deepEqual(
    { initiator, offered, target },
    { initiator: "bob@EXAMPLE.TEST", offered: 2, target: ["127.0.0.1", realm.kdcPort] },
  );
});
