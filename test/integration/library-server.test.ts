// createServer: a proxy inside this program. What is left out has the file's defaults, and nobody may do anything; the
// program's own authorize() is asked about what the rules allow, of CONNECT and of each destination of an association, and
// what it throws denies; its own check of passwords; events, sessions, reload, kill, close; all that is wrong with options.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import {
  type AuthorizeRequest,
  ConfigError,
  type CreateServerOptions,
  connect,
  createServer,
  type EmbeddedServer,
  UsageError,
  udpAssociate,
} from "../../src/index.js";
import { Origin } from "../support/origin.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const LOOPBACK = [{ allow: { to: ["127.0.0.0/8"] } }];

async function start(context: TestContext, options: CreateServerOptions) {
  const server = createServer({ listeners: [{ address: "127.0.0.1:0" }], ...options });
  const [address = ""] = await server.listen();
  context.after(() => server.close(0));
  return { server, proxy: { host: "localhost", port: Number(address.split(":")[1]) } };
}

async function prepare(
  context: TestContext,
): Promise<{ realm: Realm; destination: { host: string; port: number } }> {
  const realm = await Realm.start();
  showOnFailure(context, () => realm.logs());
  const origin = await Origin.start((socket) => socket.pipe(socket));
  context.after(async () => {
    await origin.stop();
    await realm.stop();
  });
  realm.enter(await realm.kinit("alice"));
  return { realm, destination: { host: "127.0.0.1", port: origin.port } };
}

test("rules, as in the file; without them nobody may do anything", async (context) => {
  const { realm, destination } = await prepare(context);
  const { proxy } = await start(context, { gssapi: { keytab: realm.keytab } });
  await assert.rejects(connect({ proxy, destination }), { code: "RULE_DENIED" });

  const { server, proxy: allowing } = await start(context, { rules: LOOPBACK });
  const opened = once(server, "session-opened");
  const stream = await connect({ proxy: allowing, destination });
  stream.write("there");
  assert.equal(String((await once(stream, "data"))[0]), "there");
  const [session, ...others] = server.sessions();
  assert.deepEqual(
    [session?.principal, session?.destination, others],
    [`alice@${realm.name}`, `127.0.0.1:${destination.port}`, []],
  );
  const [{ subject }] = (await opened) as [{ subject: { session: string } }];
  assert.equal(subject.session, session?.session);

  const ended = once(server, "session-closed");
  const broken = once(stream, "error");
  const reloaded = await server.reload({ listeners: [{ address: "127.0.0.1:0" }], rules: [] });
  assert.deepEqual(reloaded, { added: [], removed: [], ended: 1 });
  const [{ record }] = (await ended) as [{ record: { code: string; bytesUp: number } }];
  assert.deepEqual([record.code, record.bytesUp], ["RULES_CHANGED", 5]);
  await broken;
});

test("authorize: asked about what the rules allow", async (context) => {
  const { realm, destination } = await prepare(context);
  const asked: AuthorizeRequest[] = [];
  let word: () => boolean | string | Promise<boolean | string> = () => true;
  const authorize = (request: AuthorizeRequest) => {
    asked.push(request);
    return word();
  };
  const { proxy, server } = await start(context, { rules: LOOPBACK, authorize });
  const there = { proxy, destination };

  const over = once(server, "session-closed");
  (await connect(there)).destroy();
  await over;
  const [{ source, listener, ...first } = {} as AuthorizeRequest] = asked;
  assert.deepEqual([source, listener], ["127.0.0.1", "127.0.0.1:0"]);
  assert.deepEqual(first, {
    method: "gssapi",
    mechanism: "krb5",
    principal: `alice@${realm.name}`,
    level: "confidentiality",
    tls: false,
    command: "connect",
    destination,
    addresses: ["127.0.0.1"],
  });

  for (const [says, code, reason] of [
    [() => false, "AUTHORIZE_DENIED", /denied: by authorize/],
    [async () => "not on Sundays", "AUTHORIZE_DENIED", /denied: not on Sundays$/],
    [() => undefined as never, "AUTHORIZE_DENIED", /denied/],
    [
      () => Promise.reject(new Error("the database is away")),
      "AUTHORIZE_FAILED",
      /authorize\(\) failed: the database/,
    ],
  ] as const) {
    word = says;
    const closed = once(server, "session-closed");
    await assert.rejects(connect(there), { name: "PolicyError", code: "RULE_DENIED" });
    const [{ record }] = (await closed) as [{ record: { code: string; reason: string; outcome: string } }];
    assert.deepEqual([record.code, record.outcome], [code, "denied"]);
    assert.match(record.reason, reason);
  }

  word = () => true;
  const count = asked.length;
  await assert.rejects(connect({ proxy, destination: { host: "192.0.2.1", port: 1 } }), {
    code: "RULE_DENIED",
  });
  assert.equal(asked.length, count, "what the rules deny is not asked about");

  word = () => false;
  const association = await udpAssociate({ proxy });
  const refused = once(server, "destination-refused");
  association.send(Buffer.from("x"), destination);
  const [{ code }] = (await refused) as [{ code: string }];
  assert.equal(code, "AUTHORIZE_DENIED");
  assert.equal(asked.at(-1)?.command, "udp-associate");
  association.close();
});

test("authorize alone: protected destinations stay out of reach", async (context) => {
  const { destination } = await prepare(context);
  const asked: string[] = [];
  const { proxy } = await start(context, {
    authorize: ({ destination: { host } }) => {
      asked.push(host);
      return false;
    },
  });
  await assert.rejects(connect({ proxy, destination }), { code: "RULE_DENIED" });
  await assert.rejects(connect({ proxy, destination: { host: "192.0.2.1", port: 1 } }), {
    code: "RULE_DENIED",
  });
  assert.deepEqual(asked, ["192.0.2.1"]);
});

test("verifyPassword", async (context) => {
  const { destination } = await prepare(context);
  const principals: (string | null)[] = [];
  const { proxy } = await start(context, {
    listeners: [{ address: "127.0.0.1:0", methods: ["password"] }],
    rules: LOOPBACK,
    verifyPassword: (username, password) => {
      if (password.toString() !== `${username}-password`) return false;
      return username === "carol" ? "carol-by-another-name" : true;
    },
    authorize: ({ principal }) => {
      principals.push(principal);
      return true;
    },
  });
  const login = { proxy, destination, methods: ["password"] } as const;
  for (const username of ["alice", "carol"])
    (await connect({ ...login, username, password: `${username}-password` })).destroy();
  assert.deepEqual(principals, ["alice", "carol-by-another-name"]);
  await assert.rejects(connect({ ...login, username: "alice", password: "guessed" }));
});

test("close waits for the sessions as long as it is told", async (context) => {
  const { destination } = await prepare(context);
  const { server, proxy } = await start(context, { rules: LOOPBACK });
  const stream = await connect({ proxy, destination });
  const closed = server.close(60_000);
  await assert.rejects(connect({ proxy, destination }), { code: "PROXY_UNREACHABLE" });
  stream.end("the last");
  assert.equal(Buffer.concat(await stream.toArray()).toString(), "the last");
  await closed;
});

test("what is wrong with the options", async () => {
  const wrong = () => createServer({ listeners: [{ address: "nowhere" }], timeouts: { idle: "long" } });
  assert.throws(wrong, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.problems.map(({ path }) => path).toSorted(), [
      "listeners[0].address",
      "timeouts.idle",
    ]);
    return true;
  });
  assert.throws(() => createServer({ workers: 2 } as never), /workers is for gssocks serve alone/);
  const twice = { passwords: { file: "/users" }, verifyPassword: () => true };
  assert.throws(() => createServer(twice), UsageError);
  const unheard: EmbeddedServer = createServer({
    gssapi: { keytab: "/no/such/keytab" },
    listeners: [{ address: "127.0.0.1:0" }],
  });
  await assert.rejects(unheard.listen(), { name: "GssError", code: "KEYTAB_MISSING" });
});
