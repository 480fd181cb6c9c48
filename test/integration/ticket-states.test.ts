/**
 * What is tested: whose ticket an upstream uses, and what becomes of its connections, while the user's ticket is not there
 * yet, obtained, destroyed, replaced by another user's, renewed and expired: each is seen by the next connection, none is
 * felt by the running ones, and the error says what to do. In a file, a collection of ccaches, the kernel's keyring, and
 * with a client keytab.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { ProxyStream } from "../../src/client/proxy-stream.js";
import { Ticket, type TicketOptions } from "../../src/client/ticket.js";
import { type ThroughOptions, Upstream } from "../../src/client/upstream.js";
import { GssError } from "../../src/errors.js";
import type { UpstreamEvent } from "../../src/observability/events.js";
import { parseHost } from "../../src/protocol/address.js";
import { CMD } from "../../src/protocol/constants.js";
import { echo, Origin } from "../support/origin.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { KinitOptions } from "../support/realm.js";

test("the user's ticket", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const origin = await Origin.start(echo);
  const upstreams: Upstream[] = [];
  t.after(() => {
    for (const upstream of upstreams) upstream.close();
    return origin.stop();
  });

  /** An upstream of the proxy, what it tells, and what goes through it. */
  function upstreamWith(ticket: TicketOptions = {}, through: ThroughOptions = {}) {
    const events: UpstreamEvent[] = [];
    const observer = (event: UpstreamEvent) => void events.push(event);
    const upstream = new Upstream({
      name: "next",
      proxies: [{ host: "localhost", port: proxy.port }],
      through,
      ticket: new Ticket(ticket, observer),
      observer,
    });
    upstreams.push(upstream);
    const dst = { host: parseHost("127.0.0.1"), port: origin.port };
    const open = async () => new ProxyStream(await upstream.open({ cmd: CMD.CONNECT, dst }));
    const whose = async () => {
      const stream = await open();
      stream.destroy();
      return stream.session.initiator;
    };
    const told = () => events.splice(0).map((event) => (event.type === "ticket" ? event : event.type));
    return { upstream, open, whose, told };
  }

  /** The default ccache of this process from now on. */
  function enter(ccache: string): string {
    const name = ccache.includes(":") ? ccache : `FILE:${path.join(realm.dir, ccache)}`;
    realm.enter(name);
    return name;
  }

  async function ended(ccache: string): Promise<void> {
    while ((await runToEnd("klist", ["-s", "-c", ccache], { env: realm.env })).code === 0);
  }

  const refused =
    (...codes: string[]) =>
    (error: unknown) => {
      assert.ok(error instanceof GssError, String(error));
      assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
      assert.match(error.message, /kinit/);
      return true;
    };
  /** The second in which it ends is told by another call. */
  const expired = refused("TICKET_EXPIRED", "CONTEXT_EXPIRED");

  for (const [how, explicit] of [
    ["the default ccache", false],
    ["a ccache by its name", true],
  ] as const) {
    await t.test(`${how}: none yet, obtained, destroyed, another user's`, async () => {
      const name = enter(explicit ? "nobodys" : `late-${how.length}`);
      const ccache = explicit ? `FILE:${path.join(realm.dir, "named")}` : name;
      const { upstream, whose, told } = upstreamWith(explicit ? { ccache } : {});
      const kinit = (user: string, options: KinitOptions = {}) => realm.kinit(user, { ...options, ccache });

      await assert.rejects(whose(), refused("NO_TICKET"));
      await assert.rejects(whose(), refused("NO_TICKET"));
      assert.equal((await upstream.ticket.status()).error?.code, "NO_TICKET");
      assert.equal(upstream.status().proxies[0]?.state, "unknown", "no fault of the proxy's");
      const [none, ...others] = told();
      assert.deepEqual(others, [], "told once");
      assert.ok(typeof none === "object");
      assert.deepEqual([none.principal, none.before, none.code], [null, null, "NO_TICKET"]);

      await kinit("alice");
      assert.equal(await whose(), "alice@EXAMPLE.TEST");
      assert.equal(await whose(), "alice@EXAMPLE.TEST");
      const alice = {
        type: "ticket",
        principal: "alice@EXAMPLE.TEST",
        before: null,
        code: null,
        reason: null,
      };
      assert.deepEqual(told(), [alice]);
      const status = await upstream.ticket.status();
      assert.deepEqual(
        [status.principal, status.ccache, status.renewableUntil, status.error],
        ["alice@EXAMPLE.TEST", ccache, null, null],
      );
      assert.ok((status.secondsLeft ?? 0) > 3600, `${status.secondsLeft}`);

      await run("kdestroy", ["-c", ccache], { env: realm.env });
      await assert.rejects(whose(), refused("NO_TICKET"));
      assert.equal((await upstream.ticket.status()).error?.code, "NO_TICKET");
      told();
      await kinit("bob");
      assert.equal(await whose(), "bob@EXAMPLE.TEST");
      assert.deepEqual(told(), [{ ...alice, principal: "bob@EXAMPLE.TEST", before: "alice@EXAMPLE.TEST" }]);
      await kinit("alice");
      assert.equal(await whose(), "alice@EXAMPLE.TEST");
      assert.deepEqual(told(), [{ ...alice, before: "bob@EXAMPLE.TEST" }]);

      await kinit("bob");
      const association = await upstream.associate();
      association.close();
      assert.equal(association.session.initiator, "bob@EXAMPLE.TEST");
      assert.deepEqual(told(), [{ ...alice, principal: "bob@EXAMPLE.TEST", before: "alice@EXAMPLE.TEST" }]);
    });
  }

  await t.test("that ends while octets are carried, and while somebody is waited for", async () => {
    const ccache = enter("short");
    await realm.kinit("alice", { ccache, lifetime: 6 });
    const fast = upstreamWith();
    const slow = upstreamWith({}, { fastPath: false });
    const streams = [await fast.open(), await slow.open()];
    const bound = await fast.upstream.bind({ dst: { host: parseHost("127.0.0.1"), port: 0 } });
    for (const stream of streams) assert.equal(await exchange(stream, "before"), "before");

    await ended(ccache);
    for (const stream of streams) {
      assert.equal(await exchange(stream, "behind its end"), "behind its end");
      stream.destroy();
    }
    const peer = connect(bound.bnd.port, "127.0.0.1");
    const accepted = new ProxyStream(await bound.peer);
    assert.equal(accepted.session.initiator, "alice@EXAMPLE.TEST");
    peer.end("from the peer");
    assert.equal(String((await once(accepted, "data"))[0]), "from the peer");
    accepted.destroy();
    peer.destroy();
    bound.over();

    for (const { whose, upstream } of [fast, slow]) {
      await assert.rejects(whose(), expired);
      assert.equal(upstream.status().proxies[0]?.state, "up");
      const { error, secondsLeft, principal } = await upstream.ticket.status();
      assert.deepEqual([error?.code, secondsLeft, principal], ["TICKET_EXPIRED", 0, "alice@EXAMPLE.TEST"]);
    }
    await realm.kinit("alice", { ccache });
    assert.equal(await fast.whose(), "alice@EXAMPLE.TEST");
  });

  await t.test("renewed", async () => {
    const ccache = enter("renewable");
    await realm.kinit("alice", { ccache, lifetime: 8, args: ["-r", "1h"] });
    const { upstream, whose } = upstreamWith();
    assert.equal(await whose(), "alice@EXAMPLE.TEST");
    const first = await upstream.ticket.status();
    assert.ok((first.secondsLeft ?? 99) <= 8);
    assert.ok(Date.parse(first.renewableUntil ?? "") > Date.now() + 3000_000, `${first.renewableUntil}`);
    // A copy ends as the first one would have.
    const copy = `FILE:${path.join(realm.dir, "copy")}`;
    await run("cp", [ccache.slice(5), copy.slice(5)]);
    while (((await upstream.ticket.status()).secondsLeft ?? 0) > 4);
    await run("kinit", ["-R", "-c", ccache], { env: realm.env });
    const second = await upstream.ticket.status();
    assert.ok((second.secondsLeft ?? 0) > 4, `${second.secondsLeft}`);
    await ended(copy);
    assert.equal(await whose(), "alice@EXAMPLE.TEST");
    enter(copy);
    await assert.rejects(whose(), expired);
  });

  await t.test("of a collection: the primary one, or the one asked for", async () => {
    const dir = path.join(realm.dir, "collection");
    await run("mkdir", ["-m", "700", dir]);
    enter(`DIR:${dir}`);
    const env = { ...realm.env, KRB5CCNAME: `DIR:${dir}` };
    const { whose, upstream } = upstreamWith();
    await assert.rejects(whose(), refused("NO_TICKET"));
    for (const user of ["alice", "bob"]) await run("kinit", ["-k", "-t", realm.usersKeytab, user], { env });
    for (const user of ["alice", "bob", "alice"]) {
      await run("kswitch", ["-p", user], { env });
      assert.equal(await whose(), `${user}@EXAMPLE.TEST`);
      const { principal, ccache } = await upstream.ticket.status();
      assert.equal(principal, `${user}@EXAMPLE.TEST`);
      assert.match(String(ccache), /^DIR::/);
    }
    const bobs = upstreamWith({ principal: "bob" });
    assert.equal(await bobs.whose(), "bob@EXAMPLE.TEST");
    assert.equal((await bobs.upstream.ticket.status()).principal, "bob@EXAMPLE.TEST");
    await run("kdestroy", ["-p", "bob"], { env });
    await assert.rejects(bobs.whose(), refused("NO_TICKET"));
    assert.equal(await whose(), "alice@EXAMPLE.TEST");
  });

  await t.test("in the kernel's keyring", async (t) => {
    const ccache = `KEYRING:user:gssocks-${process.pid}`;
    const env = { ...realm.env, KRB5CCNAME: ccache };
    const probe = await runToEnd("kinit", ["-k", "-t", realm.usersKeytab, "alice"], { env });
    if (probe.code !== 0) return t.skip(`no keyring can be used here: ${probe.stderr.trim()}`);
    try {
      enter(ccache);
      const { whose, upstream } = upstreamWith();
      assert.equal(await whose(), "alice@EXAMPLE.TEST");
      assert.match(String((await upstream.ticket.status()).ccache), /^KEYRING:user:/);
      await run("kinit", ["-k", "-t", realm.usersKeytab, "bob"], { env });
      await run("kswitch", ["-p", "bob"], { env });
      assert.equal(await whose(), "bob@EXAMPLE.TEST");
      await run("kdestroy", ["-A"], { env });
      await assert.rejects(whose(), refused("NO_TICKET"));
    } finally {
      await runToEnd("kdestroy", ["-A"], { env });
    }
  });

  await t.test("got with a client keytab, as it is needed", async () => {
    enter("unused");
    const ccache = `FILE:${path.join(realm.dir, "by-keytab")}`;
    const clientKeytab = `FILE:${realm.usersKeytab}`;
    const { whose, upstream } = upstreamWith({ ccache, principal: "bob", clientKeytab });
    assert.equal(await whose(), "bob@EXAMPLE.TEST");
    assert.equal((await upstream.ticket.status()).principal, "bob@EXAMPLE.TEST");
    // Expired, destroyed: the library gets another.
    await realm.kinit("bob", { ccache, lifetime: 1 });
    await ended(ccache);
    assert.equal(await whose(), "bob@EXAMPLE.TEST");
    await run("kdestroy", ["-c", ccache], { env: realm.env });
    assert.equal(await whose(), "bob@EXAMPLE.TEST");
    const { error } = await upstreamWith({
      clientKeytab: "FILE:/nonexistent/keytab",
      ccache: "MEMORY:none",
    }).upstream.ticket.status();
    assert.equal(error?.code, "NO_TICKET");
    assert.match(String(error?.message), /client keytab FILE:\/nonexistent\/keytab/);
  });
});

async function exchange(stream: ProxyStream, text: string): Promise<string> {
  stream.write(text);
  const [data] = await once(stream, "data");
  return String(data);
}
