// fetch through the proxy: the Dispatcher of gssocks/undici with undici's own fetch, with Node's global one, and its
// connector with another version of undici; http, https, HTTP/2, several requests on a connection; a denied destination
// is the cause of fetch's error; a fetch that is aborted.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { type TestContext, test } from "node:test";
import { request, fetch as undiciFetch } from "undici";
import { Agent as Agent6, fetch as fetch6 } from "undici6";
import { PolicyError } from "../../src/index.js";
import { gssocksConnector, gssocksDispatcher } from "../../src/undici.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { proxiedRealm } from "../support/proxied-realm.js";

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

type Fetch = (
  url: string,
  options: { dispatcher: unknown; signal?: AbortSignal },
) => Promise<{ text(): Promise<string> }>;

test("fetch through the proxy", async (context) => {
  const { realm, proxy: server } = await proxiedRealm(context);
  const authority = await makeAuthority(realm.dir);
  const made = await makeCertificate(realm.dir, "origin", "DNS:localhost", authority);
  const [cert, key, ca] = [made.certificate, made.key, authority.certificate].map((file) =>
    readFileSync(file, "utf8"),
  ) as [string, string, string];
  const answer = (sent: { httpVersion: string; socket: { remotePort?: number | undefined } }) =>
    `${sent.httpVersion} ${sent.socket.remotePort}`;
  const plain = await listen(
    context,
    createServer((sent, response) => void response.end(answer(sent))),
  );
  const tls = await listen(
    context,
    createTlsServer({ cert, key }, (sent, response) => void response.end(answer(sent))),
  );
  const h2 = await listen(
    context,
    createSecureServer({ cert, key }, (sent, response) => void response.end(answer(sent))),
  );
  const proxy = { proxy: { host: "localhost", port: server.port } };
  const dispatcher = gssocksDispatcher(proxy, { connections: 1, connect: { ca } });
  const older = new Agent6({ connections: 1, connect: gssocksConnector(proxy, { ca }) as never });

  for (const [name, fetching, by] of [
    ["undici's fetch", undiciFetch as Fetch, dispatcher],
    ["Node's fetch", globalThis.fetch as unknown as Fetch, dispatcher],
    ["undici 6", fetch6 as unknown as Fetch, older],
  ] as const) {
    await context.test(name, async () => {
      const get = async (url: string) => (await fetching(url, { dispatcher: by })).text();
      const first = await get(`http://localhost:${plain}/`);
      assert.match(first, /^1\.1 \d+$/);
      assert.equal(await get(`http://localhost:${plain}/again`), first, "the same connection");
      assert.match(await get(`https://localhost:${tls}/`), /^1\.1 \d+$/);
      await assert.rejects(get("http://192.0.2.1/"), ({ cause }: Error) => {
        assert.ok(cause instanceof PolicyError);
        return cause.code === "RULE_DENIED";
      });
      const signal = AbortSignal.abort(new Error("enough"));
      await assert.rejects(fetching(`http://localhost:${plain}/`, { dispatcher: by, signal }), {
        message: "enough",
      });
    });
  }

  await context.test("HTTP/2, where it is asked for", async () => {
    const wide = gssocksDispatcher(proxy, { connect: { ca, allowH2: true } });
    const { body } = await request(`https://localhost:${h2}/`, { dispatcher: wide });
    assert.match(await body.text(), /^2\.0 \d+$/);
    await wide.close();
  });

  await context.test("TLS proves the name", async () => {
    const strict = gssocksDispatcher(proxy);
    await assert.rejects(
      undiciFetch(`https://localhost:${tls}/`, { dispatcher: strict }),
      ({ cause }: Error) => {
        return (cause as NodeJS.ErrnoException).code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
      },
    );
    await strict.close();
  });
  await dispatcher.close();
  await older.close();
});
