/**
 * What is tested: a server of several processes behind one address. Sessions land on every worker, each listener is told
 * once and has one port, and IPv6, every address at once and TLS are served by each of them.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { connect } from "../../src/client/socks-client.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { onWorker, workersOf } from "../support/workers.js";

test("one address, several processes", async (context) => {
  const { proxy, realm } = await proxiedRealm(context, async ({ dir }) => {
    const authority = await makeAuthority(dir);
    const tls = await makeCertificate(dir, "server", "DNS:localhost", authority);
    return {
      workers: 3,
      listeners: [
        { address: "127.0.0.1:0" },
        { address: "[::1]:0" },
        { address: "*:0" },
        { address: "127.0.0.1:0", tls },
      ],
    };
  });
  const [ipv4, ipv6, every, secured] = proxy.ports as [number, number, number, number];
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const workers = workersOf(proxy);

  await context.test("what is there for all is told once, and not by a worker", () => {
    const lines = proxy.log();
    assert.deepEqual(
      lines.filter(({ msg }) => msg === "listening").map(({ port, worker }) => [port, worker]),
      proxy.ports.map((port) => [port, undefined]),
    );
    assert.equal(new Set(proxy.ports).size, 4);
    assert.equal(lines.filter(({ msg }) => msg === "message protection").length, 1);
    assert.equal(new Set([proxy.pid, ...workers]).size, 4);
  });

  const raw = (host: string, port: number) => async () => {
    const client = await RawClient.through({ host, port }, origin);
    client.send(client.seal(Buffer.from("octets")));
    assert.equal((await client.open()).toString(), "octets");
    client.close();
  };
  const overTls = async () => {
    const stream = await connect({
      proxy: { host: "localhost", port: secured },
      tls: { ca: readFileSync(path.join(realm.dir, "ca.pem")) },
      destination: { host: "127.0.0.1", port: origin.port },
    });
    stream.end("octets");
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "octets");
  };
  for (const [what, converse] of [
    ["IPv4", raw("127.0.0.1", ipv4)],
    ["IPv6", raw("::1", ipv6)],
    ["every address, by IPv4", raw("127.0.0.1", every)],
    ["every address, by IPv6", raw("::1", every)],
    ["TLS", overTls],
  ] as const) {
    for (const [index, worker] of workers.entries()) {
      await context.test(`${what}, worker ${index + 1}`, async () => {
        const isNew = proxy.later();
        await onWorker(proxy, worker, converse);
        assert.equal((await proxy.audit(isNew)).worker, worker);
      });
    }
  }

  await context.test("where none stands still, all of them come to serve", async () => {
    const by = new Set<unknown>();
    while (by.size < workers.length) {
      const client = await RawClient.through({ port: ipv4 }, origin);
      client.close();
      by.add((await proxy.audit((record) => record.client === client.address)).worker);
    }
    assert.deepEqual([...by].sort(), [...workers].sort());
  });
});

test("workers: auto is one for each core that the process may use", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: "auto" });
  const { length } = workersOf(proxy);
  const { Cpus_allowed_list: list = "" } = Object.fromEntries(
    readFileSync("/proc/self/status", "utf8")
      .split("\n")
      .map((line) => line.split(/:\s*/) as [string, string]),
  );
  const cores = list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
  // With one there is no worker but the process itself.
  assert.equal(length, cores === 1 ? 0 : cores);
});
