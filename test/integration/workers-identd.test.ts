/**
 * What is tested: `gssocks identd` beside a server of several processes: it is told who is behind a connection whichever
 * worker made it, and nothing of one that no worker has.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { netcat, scratch, startIdentd } from "../support/identd.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { onWorker, workersOf } from "../support/workers.js";

test("whose connection it is, of several processes", async (context) => {
  const socket = path.join(await scratch(context), "identd.sock");
  const { proxy } = await proxiedRealm(context, {
    workers: 3,
    identd: { socket },
    timeouts: { drain: "0s" },
  });
  const identd = await startIdentd(context, { address: "127.0.0.1:0", socket });
  const origin = await Origin.start(() => {}, "127.0.0.2");
  context.after(() => origin.stop());
  /** The destination asks. */
  const ask = (ports: string) => netcat(["127.0.0.2", "127.0.0.1"], identd.port, `${ports}\r\n`);

  for (const worker of workersOf(proxy)) {
    const client = await onWorker(proxy, worker, () =>
      RawClient.through(proxy, { host: "127.0.0.2", port: origin.port }),
    );
    const { remotePort } = await origin.next();
    const ports = `${remotePort},${origin.port}`;
    assert.equal(await ask(ports), `${ports}:USERID:UNIX:alice\r\n`);
    client.vanish();
    await proxy.audit((record) => record.client === client.address && record.worker === worker);
  }
  const nobodys = `1,${origin.port}`;
  assert.equal(await ask(nobodys), `${nobodys}:ERROR:NO-USER\r\n`);
});
