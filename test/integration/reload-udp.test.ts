/**
 * What is tested: UDP associations when the rules change. Datagrams to a destination that is denied now are dropped from
 * that moment on, and so are its answers; others go on, and one that was refused is sent to. The log tells of each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEndpoint } from "../../src/protocol/address.js";
import { CMD, REP } from "../../src/protocol/constants.js";
import { CommandClient, Datagrams, endpoint } from "../support/command-client.js";
import { controlled } from "../support/controlled.js";
import { Peer } from "../unit/relay/datagram-peers.js";

test("an association through changes of the rules", async (t) => {
  const server = await controlled(t);
  const { proxy } = server;
  const allow = { allow: { to: ["127.0.0.0/8"] } };
  const client = await CommandClient.ready({ port: proxy.port }, "confidentiality");
  t.after(() => client.close());
  const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, endpoint("0.0.0.0", 0));
  assert.equal(rep, REP.SUCCEEDED);
  const datagrams = new Datagrams(client, await Peer.bind(t), bnd);
  const [staying, leaving] = [await Peer.bind(t), await Peer.bind(t)];
  const name = (peer: Peer) => formatEndpoint(peer.endpoint);

  /** To a destination and back; nothing else may come before. @returns where its answers have to go */
  const exchange = async (peer: Peer, text: string) => {
    await datagrams.send(peer.endpoint, Buffer.from(text));
    const { data, from } = await peer.next();
    assert.equal(data.toString(), text);
    await peer.send(Buffer.from(`${text} back`), from);
    const answer = await datagrams.next();
    assert.deepEqual([formatEndpoint(answer.dst), answer.data.toString()], [name(peer), `${text} back`]);
    return from;
  };
  await exchange(staying, "one");
  const outer = await exchange(leaving, "two");

  const deny = { deny: { to: [name(leaving)] } };
  assert.equal((await server.reload({ rules: [deny, allow] })).ended, 0);
  await datagrams.send(leaving.endpoint, Buffer.from("three"));
  await leaving.send(Buffer.from("nobody has asked"), outer);
  await exchange(staying, "four");
  assert.equal(leaving.unread, 0);
  const refused = await proxy.waitForLog(
    ({ msg, destination }) => msg === "destination refused" && destination === name(leaving),
  );
  assert.deepEqual(
    [refused.code, refused.reason],
    ["RULE_DENIED", `${name(leaving)} is denied: rule 1 denies ${name(leaving)}`],
  );

  await server.reload({ rules: [allow] });
  await exchange(leaving, "five");
  await exchange(staying, "six");
  client.raw.socket.end();
  const closed = await proxy.waitForLog(({ msg }) => msg === "association closed");
  assert.deepEqual(closed.dropped, { denied: 1, unsolicited: 1 });
  const allowed = proxy
    .log()
    .filter(({ msg, destination }) => msg === "destination allowed" && destination === name(leaving));
  assert.equal(allowed.length, 2);
  assert.equal((await proxy.audit(({ type }) => type === "session")).outcome, "completed");
});
