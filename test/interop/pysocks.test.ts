/**
 * PySocks as the client: SOCKS4, 4a and 5, UDP, names resolved by itself and by the proxy, users and passwords, right and
 * wrong.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LOCALHOST } from "../support/localhost.js";
import { echo } from "../support/origin.js";
import { type Conversation, PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";
import { type PysocksJob, pysocks } from "../support/python.js";
import { Peer } from "../unit/relay/datagram-peers.js";

type Through = Pick<PysocksJob, "version" | "proxy" | "user" | "password">;

test("PySocks through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  const open = (version: 4 | 5): Through => ({ version, proxy: ["127.0.0.1", proxy.open] });
  const openIpv6: Through = { version: 5, proxy: ["::1", proxy.openIpv6] };
  const guarded = (version: 4 | 5, user = USER, password = PASSWORD): Through => {
    const named = { version, proxy: ["127.0.0.1", proxy.guarded] as const, user };
    return version === 4 ? named : { ...named, password };
  };
  const named = { principal: USER, method: "password" };
  const asserted = { principal: USER, method: "asserted" };
  const byName = { asks: "localhost" };

  const connects: [
    what: string,
    through: Through,
    host: string,
    local: boolean,
    conversation: Conversation,
  ][] = [
    ["SOCKS4", open(4), "127.0.0.1", false, {}],
    ["SOCKS4, a name that PySocks resolves", open(4), "localhost", true, {}],
    ["SOCKS4a, a name that the proxy resolves", open(4), "localhost", false, byName],
    ["SOCKS4 with a user", guarded(4), "127.0.0.1", false, asserted],
    ["SOCKS5", open(5), "127.0.0.1", false, {}],
    ["SOCKS5, a name that PySocks resolves", open(5), "localhost", true, { at: LOCALHOST }],
    ["SOCKS5, a name that the proxy resolves", open(5), "localhost", false, byName],
    ["SOCKS5 to an IPv6 address through another one", openIpv6, "::1", false, { at: "::1" }],
    ["SOCKS5 with a password", guarded(5), "127.0.0.1", false, named],
  ];
  for (const [what, through, host, local, conversation] of connects) {
    await t.test(what, async () => {
      const origin = await proxy.origin(echo, conversation.at);
      const send = 100_000;
      const job = { ...through, target: [host, origin.port] as const, remote_dns: !local, send };
      assert.deepEqual(await pysocks(job), { echoed: send, error: null });
      const record = await proxy.assertServed(origin.port, conversation);
      assert.deepEqual([record.bytesUp, record.bytesDown], [send, send]);
    });
  }

  const associations: [what: string, through: Through, host: string, who: Conversation][] = [
    ["UDP", open(5), "127.0.0.1", {}],
    ["UDP, a name that the proxy resolves", open(5), "localhost", {}],
    ["UDP with a password", guarded(5), "127.0.0.1", named],
  ];
  for (const [what, through, host, { principal = null, method = "none" }] of associations) {
    await t.test(what, async (t) => {
      const peer = await Peer.bind(t, host === "localhost" ? LOCALHOST : host);
      peer.socket.on("message", (data, { address, port }) => peer.socket.send(data, port, address));
      const { port } = peer.socket.address();
      const isNew = proxy.server.later();
      const send = 1200;
      const result = await pysocks({ ...through, target: [host, port], udp: true, send });
      assert.deepEqual(result, { echoed: send, error: null });
      const record = await proxy.server.audit(isNew);
      assert.deepEqual(
        [record.command, record.method, record.principal, record.outcome, record.bytesUp, record.bytesDown],
        ["udp-associate", method, principal, "completed", send, send],
      );
    });
  }

  const refusals: [what: string, through: Through, error: RegExp, code: string][] = [
    [
      "SOCKS5 with a wrong password",
      guarded(5, USER, "wrong"),
      /SOCKS5 authentication failed/,
      "BAD_PASSWORD",
    ],
    [
      "SOCKS5 without a password",
      { ...open(5), proxy: guarded(5).proxy },
      /methods were rejected/,
      "NO_ACCEPTABLE_METHOD",
    ],
    ["SOCKS4 with another user", guarded(4, "mallory"), /0x5b/, "USER_NOT_ALLOWED"],
  ];
  for (const [what, through, error, code] of refusals) {
    await t.test(what, async () => {
      const result = await pysocks({ ...through, target: ["127.0.0.1", 1] });
      assert.equal(result.echoed, 0);
      assert.match(String(result.error), error);
      await proxy.server.audit((record) => record.code === code);
    });
  }
});
