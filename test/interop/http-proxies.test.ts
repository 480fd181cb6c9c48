/**
 * Our client through HTTP proxies that others wrote. squid: Negotiate (by MIT's library, SPNEGO and bare Kerberos), Basic,
 * TLS, several methods offered; tinyproxy: Basic and none. What each refuses is told as what it is.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  bind,
  Credential,
  connect,
  type ProxyOptions,
  type ProxyStream,
  udpAssociate,
} from "../../src/index.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { startSquid, startTinyproxy, USER } from "../support/foreign-proxies.js";
import { echo, Origin } from "../support/origin.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const octets = randomBytes(3 << 20);

/** squid takes a client's end for the end of everything, so the destination ends first. */
async function assertEchoes(stream: ProxyStream): Promise<void> {
  stream.write(octets);
  const parts: Buffer[] = [];
  let left = octets.length;
  for await (const part of stream as AsyncIterable<Buffer>) {
    parts.push(part);
    left -= part.length;
    if (left <= 0) break;
  }
  assert.ok(Buffer.concat(parts).equals(octets));
  stream.destroy();
}

test("through other people's HTTP proxies", async (t) => {
  const realm = await Realm.start({ services: ["HTTP/localhost"] });
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const destination = { host: "127.0.0.1", port: origin.port };
  const at = ({ port }: { port: number }, options: Partial<ProxyOptions> = {}) => ({
    proxy: { host: "localhost", port },
    protocol: "http" as const,
    destination,
    ...options,
  });

  await t.test("squid, Negotiate", async (t) => {
    const squid = await startSquid(t, realm, { schemes: ["negotiate"] });
    await t.test("with the user's ticket", async () => {
      const stream = await connect(at(squid));
      assert.deepEqual([stream.session.method, stream.session.level], ["gssapi", "none"]);
      // squid proves nothing to a client of CONNECT.
      assert.equal(stream.session.acceptor, null);
      await assertEchoes(stream);
      await squid.access.waitForLine(/TCP_TUNNEL\/200 .* alice@EXAMPLE\.TEST /);
    });
    await t.test("with another one's, for SPNEGO or for Kerberos alone", async (t) => {
      const ccache = await realm.kinit("bob", { ccache: "bobs" });
      for (const mechanisms of [undefined, ["1.2.840.113554.1.2.2", "1.3.6.1.5.5.2"]]) {
        const credential = await Credential.initiator({ ccache, ...(mechanisms && { mechanisms }) });
        t.after(() => credential.close());
        const stream = await connect(at(squid, { credential }));
        assert.equal(stream.session.initiator, "bob@EXAMPLE.TEST");
        await assertEchoes(stream);
      }
      await squid.access.waitForLine(/TCP_TUNNEL\/200 .* bob@EXAMPLE\.TEST /);
    });
    await t.test("by a key that is not the proxy's", async () => {
      await realm.kadmin(['addprinc -clearpolicy -randkey "HTTP/elsewhere"']);
      const targetName = "HTTP/elsewhere@EXAMPLE.TEST";
      await assert.rejects(connect(at(squid, { targetName })), {
        name: "PeerError",
        code: "AUTHENTICATION_REFUSED",
        message: "the proxy refused our ticket (407); its log says why",
      });
    });
    await t.test("what it wants is not offered", async () => {
      for (const options of [{ methods: ["none"] as const }, { methods: ["password"] as const, ...USER }]) {
        await assert.rejects(connect(at(squid, options)), {
          name: "PolicyError",
          code: "NO_ACCEPTABLE_METHOD",
          message: `the proxy wants negotiate (407); we are told to show it ${options.methods[0]}`,
        });
      }
      const stream = await connect(at(squid, { methods: ["none", "gssapi"] }));
      assert.equal(stream.session.method, "gssapi");
      stream.destroy();
    });
    await t.test("a destination that it denies, and one that nobody listens on", async () => {
      const denied = connect({ ...at(squid), destination: { host: "127.0.0.9", port: 80 } });
      await assert.rejects(denied, { name: "PolicyError", code: "RULE_DENIED", rep: 2 });
      const closed = await Origin.start(() => {});
      const { port } = closed;
      await closed.stop();
      const nobody = connect({ ...at(squid), destination: { host: "127.0.0.1", port } });
      await assert.rejects(nobody, { name: "NetworkError", code: "DESTINATION_REFUSED", rep: 4 });
    });
    await t.test("BIND and UDP ASSOCIATE are not for it", async () => {
      const options = at(squid);
      const unsupported = { name: "PolicyError", code: "COMMAND_NOT_SUPPORTED", rep: 7 };
      await assert.rejects(bind({ ...options, peer: { host: "127.0.0.1", port: 0 } }), unsupported);
      await assert.rejects(udpAssociate(options), unsupported);
    });
  });

  await t.test("squid, Basic, and Basic beside Negotiate", async (t) => {
    const squid = await startSquid(t, realm, { schemes: ["basic"] });
    const stream = await connect(at(squid, { methods: ["password"], ...USER }));
    assert.deepEqual([stream.session.method, stream.session.initiator], ["password", null]);
    await assertEchoes(stream);
    await squid.access.waitForLine(/TCP_TUNNEL\/200 .* carol /);
    const wrong = { ...USER, password: "not-carols" };
    await assert.rejects(connect(at(squid, { methods: ["password"], ...wrong })), {
      name: "PeerError",
      code: "AUTHENTICATION_REFUSED",
      message: "the proxy refused our username and password (407); its log says why",
    });
    await assert.rejects(connect(at(squid)), { name: "PolicyError", code: "NO_ACCEPTABLE_METHOD" });

    const second = await connect(at(squid, { methods: ["gssapi", "password"], ...USER }));
    assert.equal(second.session.method, "password", "the second of ours is the first of its own");
    second.destroy();

    const both = await startSquid(t, realm, { schemes: ["negotiate", "basic"] });
    await assert.rejects(connect(at(both, { methods: ["password", "gssapi"], ...wrong })), {
      name: "PeerError",
      code: "AUTHENTICATION_REFUSED",
    });
  });

  await t.test("squid, TLS", async (t) => {
    const authority = await makeAuthority(realm.dir);
    const stranger = await makeAuthority(realm.dir, "stranger");
    const tls = await makeCertificate(realm.dir, "squid", "DNS:localhost", authority);
    const squid = await startSquid(t, realm, { schemes: ["negotiate"], tls });
    const ca = await readFile(authority.certificate);
    await assertEchoes(await connect(at(squid, { tls: { ca } })));
    await squid.access.waitForLine(/TCP_TUNNEL\/200 .* alice@EXAMPLE\.TEST /);
    const strange = { ca: await readFile(stranger.certificate) };
    await assert.rejects(connect(at(squid, { tls: strange })), { name: "NetworkError", code: "TLS_FAILED" });
    await assert.rejects(connect(at(squid)), { name: "PeerError" });
  });

  for (const guarded of [false, true]) {
    await t.test(`tinyproxy, ${guarded ? "Basic" : "no authentication"}`, async (t) => {
      const proxy = await startTinyproxy(t, { guarded });
      const options = guarded
        ? ({ methods: ["password"], ...USER } as const)
        : ({ methods: ["none"] } as const);
      await assertEchoes(await connect(at(proxy, options)));
      const without = connect(at(proxy, { methods: ["none"] }));
      if (guarded) await assert.rejects(without, { name: "PolicyError", code: "NO_ACCEPTABLE_METHOD" });
      else (await without).destroy();
    });
  }
});
