/**
 * What is tested: rules that lead to another proxy (`via`), with the entry's own ticket: clients without GSS-API and with
 * it, sealed data on either side and on both, whole and unharmed with each direction ending on its own; names that go on as
 * they are; what the second proxy refuses; a second proxy that is away; what the audit trail says.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { SocksClient } from "socks";
import { connect } from "../../src/index.js";
import { chainOf } from "../support/chain.js";
import { echo, hashSink, Origin } from "../support/origin.js";
import type { ProxyConfig } from "../support/proxy.js";

/** One that lets everybody in, or those with a ticket, and leads them all to another, which wants a ticket. */
async function chained(context: TestContext, config: ProxyConfig = {}) {
  const listeners = [{ address: "127.0.0.1:0", methods: ["none"] }, { address: "127.0.0.1:0" }];
  const { proxies, last: second } = await chainOf(context, [{}], config, { listeners });
  const [entry] = proxies;
  const [open = 0, gssapi = 0] = entry.ports;
  return { entry, second, open, gssapi };
}

async function through(port: number, host: string, to: number): Promise<Duplex> {
  const { socket } = await SocksClient.createConnection({
    proxy: { host: "127.0.0.1", port, type: 5 },
    command: "connect",
    destination: { host, port: to },
  });
  return socket;
}

/** Sends it all, ends, and reads to the end. */
async function exchange(stream: Duplex, sent: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on("data", (octets) => parts.push(octets)).resume();
  stream.end(sent);
  await new Promise((resolve, reject) => stream.once("end", resolve).once("error", reject));
  return Buffer.concat(parts);
}

const CLIENTS = ["none", "gssapi"] as const;

for (const method of CLIENTS) {
  test(`a client by ${method} reaches the destination through both proxies`, async (context) => {
    const { entry, second, open, gssapi } = await chained(context);
    const origins = { echo: await Origin.start(echo), sink: await Origin.start(hashSink) };
    context.after(() => Promise.all(Object.values(origins).map((origin) => origin.stop())));
    const reach = (port: number): Promise<Duplex> =>
      method === "none"
        ? through(open, "127.0.0.1", port)
        : connect({
            proxy: { host: "localhost", port: gssapi },
            destination: { host: "127.0.0.1", port },
          });

    const sent = randomBytes(5_000_000);
    assert.ok((await exchange(await reach(origins.echo.port), sent)).equals(sent), "what came back");
    const record = await entry.audit();
    const { outcome, upstream, address, bytesUp, bytesDown, principal } = record;
    assert.deepEqual(
      { outcome, upstream, address, bytesUp, bytesDown, principal },
      {
        outcome: "completed",
        upstream: "next",
        address: `127.0.0.1:${second.port}`,
        bytesUp: sent.length,
        bytesDown: sent.length,
        principal: method === "none" ? null : "alice@EXAMPLE.TEST",
      },
    );
    const seconds = await second.audit();
    assert.equal(seconds.principal, "alice@EXAMPLE.TEST");
    assert.equal(seconds.level, "confidentiality");
    assert.equal(seconds.bytesUp, sent.length);

    // The destination answers only after the client's end.
    const hash = createHash("sha256").update(sent).digest("hex");
    assert.equal((await exchange(await reach(origins.sink.port), sent)).toString(), hash);
  });
}

test("a name goes on as it is, and is not looked up on the way", async (context) => {
  const { entry, second, open } = await chained(context);
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const stream = await through(open, "localhost", origin.port);
  assert.equal((await exchange(stream, Buffer.from("octets"))).toString(), "octets");
  assert.equal((await second.audit()).destination, `localhost:${origin.port}`);
  const record = await entry.audit();
  assert.deepEqual(
    [record.destination, "dns" in (record.phases as object)],
    [`localhost:${origin.port}`, false],
  );
});

test("what the second proxy refuses is refused with its reply, and told of", async (context) => {
  const { entry, open } = await chained(context, { rules: [{ deny: { to: ["127.0.0.0/8"] } }] });
  await assert.rejects(through(open, "127.0.0.1", 9), /NotAllowed/);
  const record = await entry.audit();
  assert.deepEqual([record.rep, record.upstream, record.outcome], [2, "next", "denied"]);
});

test("where the second proxy is away, the client is told so", async (context) => {
  const { entry, second, open } = await chained(context);
  await second.stop();
  await assert.rejects(through(open, "127.0.0.1", 9), /rejected connection/);
  const record = await entry.audit();
  assert.deepEqual([record.code, record.upstream], ["PROXY_UNREACHABLE", "next"]);
  assert.match(String(record.reason), /localhost/);
});
