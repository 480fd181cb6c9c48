/**
 * What is tested: a first token that somebody on the way has copied makes no second context, with another worker of the
 * server no more than with the one that it was for: the replay cache is the user's, not the process's.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Name } from "../../src/gss/name.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { onWorker, workersOf } from "../support/workers.js";

test("a token replayed to another worker", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "0s" } });
  const [first, second] = workersOf(proxy) as [number, number];
  const target = Name.import("rcmd@localhost");
  const initiator = SecurityContext.initiator({ target });
  context.after(() => {
    initiator.close();
    target.close();
  });
  const token = (await initiator.init(null)).token as Buffer;

  /** What the worker answers. */
  const present = (worker: number) =>
    onWorker(proxy, worker, async () => {
      const client = await RawClient.connect(proxy.port);
      context.after(() => client.close());
      await client.selectMethod();
      client.send(encodeGssapiMessage(MTYP.AUTHENTICATION, token));
      return { client, answer: await client.read(2) };
    });

  const genuine = await present(first);
  assert.equal(genuine.answer.toString("hex"), "0101");
  assert.equal(
    (await proxy.waitForLog(({ msg }) => msg === "authenticated")).worker,
    first,
    "the token was good",
  );

  for (const worker of [second, first]) {
    const { client, answer } = await present(worker);
    assert.equal(answer.toString("hex"), "01ff");
    assert.equal((await client.farewell()).octets.length, 0);
    const failed = await proxy.waitForLog(
      (line) => line.msg === "session failed" && line.client === client.address,
    );
    assert.equal(failed.worker, worker);
    assert.match(String(failed.reason), /replay/);
  }
});
