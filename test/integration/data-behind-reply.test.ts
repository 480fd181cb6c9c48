/**
 * What is tested: data of the destination that reaches our client together with the reply, as a frame of its own in the
 * same segment, is the beginning of the stream and not lost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/socks-client.js";
import { Credential } from "../../src/gss/credential.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { UNSPECIFIED } from "../../src/protocol/address.js";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage, takeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { ReceiveBuffer } from "../../src/protocol/receive-buffer.js";
import { encodeReply } from "../../src/protocol/reply.js";
import { Origin } from "../support/origin.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("data behind the reply, in one segment with it, comes first", async (context) => {
  const realm = await Realm.start();
  context.after(() => realm.stop());
  showOnFailure(context, () => realm.logs());
  realm.enter(await realm.kinit("alice"));
  const credential = await Credential.acceptor({ keytab: `FILE:${realm.keytab}` });
  context.after(() => credential.close());

  const proxy = await Origin.start(async (socket) => {
    const received = new ReceiveBuffer(200_000);
    const octets = socket[Symbol.asyncIterator]();
    const more = async () => received.append((await octets.next()).value);
    const message = async (mtyp: number) => {
      for (;;) {
        const found = takeGssapiMessage(received, [mtyp]);
        if (found !== null) return found.token;
        await more();
      }
    };
    while (received.length < 3) await more();
    received.take(3);
    socket.write(Buffer.from([0x05, 0x01]));
    const acceptor = SecurityContext.acceptor({ credential });
    const { token } = await acceptor.accept(await message(MTYP.AUTHENTICATION));
    socket.write(encodeGssapiMessage(MTYP.AUTHENTICATION, token as Buffer));
    acceptor.unwrap(await message(MTYP.PROTECTION_LEVEL));
    socket.write(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, acceptor.wrap(Buffer.from([0x02]), false)));
    acceptor.unwrap(await message(MTYP.USER_DATA));
    const frames = [encodeReply({ rep: 0, bnd: UNSPECIFIED }), Buffer.from("first "), Buffer.from("second")];
    socket.end(
      Buffer.concat(frames.map((each) => encodeGssapiMessage(MTYP.USER_DATA, acceptor.wrap(each, true)))),
    );
    acceptor.close();
  });
  context.after(() => proxy.stop());

  const stream = await connect({
    proxy: { host: "localhost", port: proxy.port },
    destination: { host: "db.example.test", port: 5432 },
  });
  stream.end();
  assert.equal(Buffer.concat(await stream.toArray()).toString(), "first second");
});
