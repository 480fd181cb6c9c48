/** The associations with other proxies: each opened once, and asked for no more often than it does any good. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { ASKED_FOR, type Heard, UdpUpstreams } from "../../../src/relay/udp-upstreams.js";

test("a proxy that fails, or ends what it opened, is asked again after a while", async () => {
  let [now, opened, fails] = [0, 0, true];
  let heard: Heard | null = null;
  const upstreams = new UdpUpstreams(
    async (_, hears) => {
      opened += 1;
      heard = hears;
      if (fails) throw new NetworkError("PROXY_UNREACHABLE", "nobody is there");
      return { send: () => {}, close: () => {} };
    },
    () => {},
    () => now,
  );
  const elsewhere = {
    upstream: "next",
    dst: { host: { kind: "ipv4", address: "192.0.2.1" }, port: 53 },
  } as const;
  const send = () => upstreams.send(elsewhere, Buffer.of(1));
  const refused = { code: "PROXY_UNREACHABLE" };

  await assert.rejects(upstreams.ensure("next"), refused);
  await assert.rejects(upstreams.ensure("next"), refused);
  assert.deepEqual([opened, send()], [1, false]);

  now += ASKED_FOR;
  fails = false;
  await Promise.all([upstreams.ensure("next"), upstreams.ensure("next")]);
  assert.deepEqual([opened, send()], [2, true]);

  (heard as Heard | null)?.closed();
  await upstreams.ensure("next");
  assert.deepEqual([opened, send()], [2, false]);
  now += ASKED_FOR;
  await upstreams.ensure("next");
  assert.deepEqual([opened, send()], [3, true]);
  upstreams.close();
});
