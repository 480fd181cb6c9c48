/**
 * What is tested: Negotiate at a listener that takes HTTP (RFC 4559), by the legs: one that answers with a token by which the
 * client knows the proxy, three of DCE style and those of IAKERB on one connection, by CONNECT and by absolute URIs; what was
 * established holds for requests that follow there, and on no other connection; tokens that are damaged, replayed, for another
 * name, or never lead to an end; how each is told and recorded.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_DCE_STYLE } from "../../src/gss/flags.js";
import { GSS_MECH_IAKERB } from "../../src/gss/oids.js";
import { type InitiatorContextOptions, SecurityContext } from "../../src/gss/security-context.js";
import { HttpOrigin } from "../support/http-origin.js";
import { HttpWire, type Received } from "../support/http-wire.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const LISTENER = { address: "127.0.0.1:0", http: true, gssapi: { protectionLevels: ["none"] } };
const PENALTIES = { failedAuthentication: "0s" };
const DCE_STYLE = { flags: DEFAULT_INITIATOR_FLAGS | GSS_C_DCE_STYLE };

async function negotiating(context: TestContext, gssapi: Record<string, unknown> = {}) {
  const config = { listeners: [LISTENER], penalties: PENALTIES, gssapi };
  const { proxy, realm } = await proxiedRealm(context, config, { services: ["HTTP/localhost"] });
  return { proxy, realm, origin: await HttpOrigin.start(context) };
}

/** Asks, with a token for each 407, until there is another answer. @returns that, and how many requests it took */
async function ask(
  wire: HttpWire,
  head: readonly string[],
  options: Partial<InitiatorContextOptions> = {},
): Promise<{ answer: Received; legs: number; context: SecurityContext }> {
  const context = SecurityContext.initiator({ target: "HTTP@localhost", ...options });
  let step = await context.init(null);
  for (let legs = 1; ; legs += 1) {
    wire.send([...head, `Proxy-Authorization: Negotiate ${step.token?.toString("base64")}`]);
    const answer = await wire.receive(false);
    const [, text] = /^Negotiate ([A-Za-z0-9+/=]+)$/.exec(answer.fields["proxy-authenticate"] ?? "") ?? [];
    if (text !== undefined) step = await context.init(Buffer.from(text, "base64"));
    if (answer.status !== 407 || text === undefined) return { answer, legs, context };
  }
}

test("Negotiate, leg by leg", async (t) => {
  const { proxy, origin } = await negotiating(t);
  const at = `127.0.0.1:${origin.port}`;
  const get = [`GET http://${at}/ HTTP/1.1`, `Host: ${at}`];
  const refused = ["CONNECT 192.0.2.1:80 HTTP/1.1", "Host: 192.0.2.1:80"];
  const nobody = "AUTHENTICATION_REQUIRED";

  await t.test("one leg; what it established holds for the connection, and for no other", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const first = await wire.ask(get);
    assert.deepEqual([first.status, first.fields["proxy-authenticate"]], [407, "Negotiate"]);
    assert.match(first.body, new RegExp(`\\n${nobody}: `));
    const { answer, legs, context } = await ask(wire, get);
    assert.deepEqual([answer.status, legs], [200, 1]);
    assert.equal(context.established, true, "the client knows the proxy");
    context.close();
    const second = await wire.ask(get);
    assert.deepEqual([second.status, second.fields["proxy-authenticate"]], [200, undefined]);
    assert.equal(origin.last.fields.join().includes("Negotiate"), false);
    const other = await HttpWire.connect(proxy.port);
    assert.equal((await other.ask(get)).status, 407);
    for (const { client } of [wire, other]) client.socket.end();
    await other.client.farewell();
    const record = await proxy.audit(({ client }) => client === other.client.address);
    assert.deepEqual([record.code, record.outcome], [nobody, "denied"]);
    const records = proxy.audits().filter(({ client }) => client === wire.client.address);
    assert.deepEqual(
      records.map(({ principal, method, targetName, level, outcome }) => [
        principal,
        method,
        targetName,
        level,
        outcome,
      ]),
      Array(2).fill(["alice@EXAMPLE.TEST", "gssapi", "HTTP/localhost@EXAMPLE.TEST", "none", "completed"]),
    );
  });

  await t.test("several legs, by absolute URIs and by CONNECT, are one session", async () => {
    for (const [head, status] of [
      [get, 200],
      [refused, 403],
    ] as const) {
      const wire = await HttpWire.connect(proxy.port);
      const { answer, legs, context } = await ask(wire, head, DCE_STYLE);
      assert.deepEqual([answer.status, legs, context.established], [status, 2, true]);
      context.close();
      wire.client.socket.end();
      await wire.client.farewell();
      const record = await proxy.audit(({ client }) => client === wire.client.address);
      assert.equal(record.principal, "alice@EXAMPLE.TEST");
      assert.equal(proxy.audits().filter(({ client }) => client === wire.client.address).length, 1);
    }
  });

  await t.test("tokens that lead to nothing end the connection", async () => {
    const token = async (target: string) => {
      const context = SecurityContext.initiator({ target });
      const { token } = await context.init(null);
      context.close();
      return (token as Buffer).toString("base64");
    };
    const once = await token("HTTP@localhost");
    const before = await HttpWire.connect(proxy.port);
    assert.equal((await before.ask([...get, `Proxy-Authorization: Negotiate ${once}`])).status, 200);
    before.client.socket.end();
    const damaged = Buffer.from(await token("HTTP@localhost"), "base64");
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 9) ^ 1, damaged.length - 9);
    for (const [what, value, code] of [
      ["replayed", once, /^REPLAY$/],
      ["damaged", damaged.toString("base64"), /^BAD_TOKEN$/],
      ["no token", "aGVsbG8=", /./],
    ] as const) {
      for (const head of [get, refused]) {
        const wire = await HttpWire.connect(proxy.port);
        const { status, body, fields } = await wire.ask([...head, `Proxy-Authorization: Negotiate ${value}`]);
        assert.deepEqual([status, fields.connection], [407, "close"], what);
        assert.match(body, /\nAUTHENTICATION_FAILED: the credentials were refused\n$/);
        await wire.client.farewell();
        const record = await proxy.audit(({ client }) => client === wire.client.address);
        assert.match(String(record.code), code, what);
        const { session } = record;
        const failed = await proxy.waitForLog(
          (line) => line.msg === "session failed" && line.session === session,
        );
        assert.equal(failed.step, "authentication");
      }
    }
  });

  await t.test("who never says more than before is asked sixteen times", async () => {
    const wire = await HttpWire.connect(proxy.port);
    for (let each = 0; each < 16; each += 1) assert.equal((await wire.ask(get)).status, 407);
    const { status, fields } = await wire.ask([...get, "Proxy-Authorization: Digest x"]);
    assert.deepEqual([status, fields.connection], [407, "close"]);
    await wire.client.farewell();
    const record = await proxy.audit(({ client }) => client === wire.client.address);
    assert.equal(record.code, "TOO_MANY_TOKENS");
  });

  await t.test("credentials twice, or none that can be read", async () => {
    for (const fields of [
      ["Proxy-Authorization: Negotiate YQ==", "Proxy-Authorization: Negotiate YQ=="],
      ["Proxy-Authorization: Negotiate !"],
    ]) {
      const wire = await HttpWire.connect(proxy.port);
      assert.equal((await wire.ask([...get, ...fields])).status, 407);
      const record = await proxy.audit(({ client }) => client === wire.client.address);
      assert.equal(record.code, "BAD_CREDENTIALS");
    }
  });
});

test("Negotiate by IAKERB takes as many legs as it needs", async (t) => {
  const { proxy, origin } = await negotiating(t, { mechanisms: ["iakerb", "krb5"] });
  const mechanisms = [GSS_MECH_IAKERB];
  const credential = await Credential.initiator({ principal: "bob", password: "bob-password", mechanisms });
  t.after(() => credential.close());
  const wire = await HttpWire.connect(proxy.port);
  const head = [`GET http://127.0.0.1:${origin.port}/ HTTP/1.1`, "Host: a"];
  const { answer, legs, context } = await ask(wire, head, { credential, mechanism: GSS_MECH_IAKERB });
  assert.equal(answer.status, 200);
  assert.ok(legs >= 3, `${legs} legs`);
  context.close();
  wire.client.socket.end();
  const record = await proxy.audit(({ client }) => client === wire.client.address);
  assert.deepEqual([record.principal, record.mechanism], ["bob@EXAMPLE.TEST", "iakerb"]);
});
