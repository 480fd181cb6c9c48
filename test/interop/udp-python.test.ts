// Our relay against a client that shares no code with it: Debian's python3-gssapi, a UDP association under each level and
// enctype, and what a client may send that has to be dropped. The TCP side is by hand, as short as it can be.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { CMD, MTYP, REP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage, takeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { ReceiveBuffer } from "../../src/protocol/receive-buffer.js";
import { encodeReply } from "../../src/protocol/reply.js";
import { takeRequest } from "../../src/protocol/request.js";
import { CLEAR_DATAGRAMS, ContextDatagramProtection } from "../../src/relay/datagram-protection.js";
import { UdpAssociation } from "../../src/relay/udp-associate.js";
import { ENCTYPES } from "../support/enctypes.js";
import { pythonUdpInitiator, type UdpInitiatorJob } from "../support/python.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { allowAll, drops, Peer } from "../unit/relay/datagram-peers.js";

const LEVELS = ["none", "integrity", "confidentiality"] as const;

/** The server's side of one association: what the client offers is agreed on. */
async function serve(socket: Socket, credential: Credential): Promise<UdpAssociation> {
  const received = new ReceiveBuffer(65536);
  const chunks = socket[Symbol.asyncIterator]();
  const next = async <T>(take: () => T | null): Promise<T> => {
    for (;;) {
      const taken = take();
      if (taken !== null) return taken;
      const { value, done } = await chunks.next();
      if (done === true) throw new Error("the client closed early");
      received.append(value as Buffer);
    }
  };
  const token = (mtyp: number) =>
    next(() => takeGssapiMessage(received, [mtyp])).then((message) => message.token);
  const send = (mtyp: number, octets: Buffer) => socket.write(encodeGssapiMessage(mtyp, octets));

  await next(() => (received.length < 3 ? null : received.take(3)));
  socket.write(Buffer.from([0x05, 0x01]));
  const context = SecurityContext.acceptor({ credential });
  while (!context.established) {
    const step = await context.accept(await token(MTYP.AUTHENTICATION));
    if (step.token !== null) send(MTYP.AUTHENTICATION, step.token);
  }
  const offered = context.unwrap(await token(MTYP.PROTECTION_LEVEL)).message;
  send(MTYP.PROTECTION_LEVEL, context.wrap(offered, false));
  const level = LEVELS[offered[0] as number] ?? "none";

  const plain =
    level === "none" ? received : ReceiveBuffer.of(context.unwrap(await token(MTYP.USER_DATA)).message);
  const request = await next(() => takeRequest(plain));
  assert.equal(request.cmd, CMD.UDP_ASSOCIATE);
  const association = await UdpAssociation.open({
    address: socket.localAddress ?? "",
    ports: null,
    client: { address: socket.remoteAddress ?? "", announced: request.dst },
    protection: level === "none" ? CLEAR_DATAGRAMS : new ContextDatagramProtection(context, level),
    authorize: allowAll,
    limits: { destinations: 10, datagramsPerSecond: 10_000 },
  });
  const reply = encodeReply({ rep: REP.SUCCEEDED, bnd: association.bnd });
  if (level === "none") socket.write(reply);
  else send(MTYP.USER_DATA, context.wrap(reply, level === "confidentiality"));
  void chunks.next().then(() => {
    association.close();
    context.close();
    socket.end();
  });
  return association;
}

/** Sends back what comes. */
async function echo(test: TestContext, host: string): Promise<Peer> {
  const peer = await Peer.bind(test, host);
  peer.socket.on("message", (data, { address, port }) => peer.socket.send(data, port, address));
  return peer;
}

for (const enctype of ENCTYPES) {
  test(`a UDP association of python3-gssapi's: ${enctype}`, async (t) => {
    const realm = await Realm.start({ enctypes: [enctype] });
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    realm.enter(await realm.kinit("alice"));
    const credential = await Credential.acceptor({ keytab: `FILE:${realm.keytab}` });
    t.after(() => credential.close());
    const targets = [await echo(t, "127.0.0.1"), await echo(t, "127.0.0.2"), await echo(t, "::1")].map(
      ({ endpoint: { host, port } }) => [host.kind === "domain" ? "" : host.address, port] as const,
    );

    async function run(t: TestContext, job: Partial<UdpInitiatorJob>) {
      const server = createServer({ allowHalfOpen: true });
      t.after(() => server.close());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const serving = once(server, "connection").then(([socket]) => serve(socket as Socket, credential));
      const { port } = server.address() as { port: number };
      const result = await pythonUdpInitiator({ proxy: ["127.0.0.1", port], targets, ...job }, realm.env);
      return { result, association: await serving };
    }

    for (const [level, name] of LEVELS.entries()) {
      await t.test(`level ${name}`, async (t) => {
        const { result, association } = await run(t, { level, size: 1400 });
        assert.equal(result.error, undefined, result.stage);
        assert.deepEqual([result.agreed, result.rep, result.closed], [level, 0, true]);
        assert.deepEqual(
          result.answers,
          targets.map(([host, port]) => [host, port, 10]),
        );
        assert.deepEqual(drops(association), {});
      });
    }

    const table: [misbehave: NonNullable<UdpInitiatorJob["misbehave"]>, dropped: string][] = [
      ["replay", "duplicate"],
      ["fragment", "fragment"],
      ["clear", "malformed"],
      ["tamper", "bad-token"],
      ["integrity-only", "not-confidential"],
    ];
    for (const [misbehave, dropped] of table) {
      await t.test(`${misbehave} is dropped, the good ones go on`, async (t) => {
        const { result, association } = await run(t, { level: 2, misbehave });
        assert.equal(result.error, undefined, result.stage);
        assert.equal(result.closed, true);
        assert.deepEqual(drops(association), { [dropped]: 30 });
      });
    }
  });
}
