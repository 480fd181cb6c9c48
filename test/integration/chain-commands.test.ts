/**
 * What is tested: BIND and UDP ASSOCIATE through another proxy (`via`), for a client without GSS-API and one with it: the
 * port that is told is the second proxy's, who comes is told, datagrams go there and back by address and by name, each
 * destination is judged here too, and the association at the second proxy ends with the client's.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect as dial } from "node:net";
import { type TestContext, test } from "node:test";
import { bind, type ProxyOptions, udpAssociate } from "../../src/index.js";
import { chainOf, EVERYTHING } from "../support/chain.js";
import { LOCALHOST } from "../support/localhost.js";

const METHODS = ["none", "gssapi"] as const;

async function chained(context: TestContext, method: (typeof METHODS)[number]) {
  const { proxies, last } = await chainOf(
    context,
    [{}],
    {},
    {
      listeners: [{ address: "127.0.0.1:0", methods: [method] }],
      rules: [{ deny: { to: ["127.0.0.9"] } }, { allow: EVERYTHING, via: "next" }],
    },
  );
  const [entry] = proxies;
  const options: ProxyOptions = { proxy: { host: "localhost", port: entry.port }, methods: [method] };
  return { entry, last, options };
}

for (const method of METHODS) {
  test(`BIND, the client by ${method}`, async (context) => {
    const { entry, last, options } = await chained(context, method);
    const binding = await bind({ ...options, peer: { host: "127.0.0.1", port: 0 } });
    const peer = dial(binding.bnd.port, "127.0.0.1");
    context.after(() => peer.destroy());
    const [stream] = await Promise.all([binding.accepted, once(peer, "connect")]);
    context.after(() => stream.destroy());
    assert.deepEqual(stream.session.bnd.port, peer.localPort);

    stream.write("from the client");
    assert.equal(String((await once(peer, "data"))[0]), "from the client");
    peer.end("from the peer");
    assert.equal(String((await once(stream, "data"))[0]), "from the peer");
    stream.end();
    for (const proxy of [entry, last]) {
      const { command, outcome, bytesUp, bytesDown } = await proxy.audit();
      assert.deepEqual([command, outcome, bytesUp, bytesDown], ["bind", "completed", 15, 13]);
    }
  });

  test(`UDP, the client by ${method}`, async (context) => {
    const { entry, last, options } = await chained(context, method);
    const echo = createSocket("udp4").on("message", (data, from) => echo.send(data, from.port, from.address));
    echo.bind(0, "127.0.0.1");
    await once(echo, "listening");
    context.after(() => void echo.close());
    const { port } = echo.address();

    const association = await udpAssociate(options);
    context.after(() => association.close());
    const ask = async (host: string, text: string) => {
      const answered = once(association, "message");
      association.send(Buffer.from(text), { host, port });
      const [data, from] = await answered;
      return [String(data), from];
    };
    assert.deepEqual(await ask("127.0.0.1", "by address"), ["by address", { host: "127.0.0.1", port }]);
    if (LOCALHOST === "127.0.0.1") assert.equal((await ask("localhost", "by name"))[0], "by name");

    association.send(Buffer.from("denied"), { host: "127.0.0.9", port });
    await entry.waitForLog(
      ({ msg, destination }) => msg === "destination refused" && destination === `127.0.0.9:${port}`,
    );
    const allowed = await last.waitForLog(({ msg }) => msg === "destination allowed");
    assert.equal(allowed.principal, "alice@EXAMPLE.TEST");

    association.close();
    for (const proxy of [entry, last]) {
      const { command, outcome, bytesUp } = await proxy.audit();
      assert.deepEqual([command, outcome], ["udp-associate", "completed"]);
      assert.ok(Number(bytesUp) >= "by address".length);
    }
  });
}
