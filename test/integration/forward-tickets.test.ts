/**
 * What is tested: `gssocks forward` while its user's ticket becomes another user's, is destroyed, renewed, and ends, each
 * during transfers by SOCKS and by HTTP. These go on to their end as whose they began; the next connection is what the ticket
 * is now, or fails at once and says what to do, in the log and to HTTP clients.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { forwardedRealm } from "../support/forwarded-realm.js";
import { Origin } from "../support/origin.js";
import { type Finished, run, runToEnd, start } from "../support/processes.js";

const HALF = "x".repeat(100_000);
/** In seconds. */
const LIFE = 10;
/** When it is renewed: there is as long between the two ends. */
const RENEWED = 7;

test("the user's ticket", async (t) => {
  const { realm, proxy, forwarder, env } = await forwardedRealm(t, { ccache: "users" });
  const ccache = env.KRB5CCNAME as string;
  const curl = (scheme: string, port: number) => {
    const through = ["--noproxy", "", "-x", `${scheme}://127.0.0.1:${forwarder.port}`];
    return ["-q", "-sS", "-N", "--max-time", "60", ...through, `http://localhost:${port}/`];
  };

  /** An origin whose page comes in halves; the second one when it is asked for. */
  async function halves(later: (send: () => void) => void): Promise<Origin> {
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${2 * HALF.length}\r\nConnection: close\r\n\r\n`;
    const origin = await Origin.start((socket) =>
      socket.once("data", () => {
        socket.write(head + HALF);
        later(() => socket.end(HALF));
      }),
    );
    t.after(() => origin.stop());
    return origin;
  }
  const whole = await halves((send) => send());

  /** By SOCKS and by HTTP. */
  function fetches(): Promise<Finished[]> {
    return Promise.all(["socks5h", "http"].map((scheme) => runToEnd("curl", curl(scheme, whole.port))));
  }

  /** They are served, as the user's. */
  async function assertServed(user: string): Promise<void> {
    const isNew = proxy.later();
    for (const { code, stdout, stderr } of await fetches()) {
      assert.equal(code, 0, stderr);
      assert.ok(stdout === HALF + HALF);
    }
    assert.equal((await proxy.audit(isNew)).principal, `${user}@EXAMPLE.TEST`);
  }

  /** They fail, for one of these reasons. */
  async function assertRefused(...codes: string[]): Promise<void> {
    const isNew = forwarder.later();
    const [socks, http] = (await fetches()) as [Finished, Finished];
    assert.equal(socks.code, 97, socks.stderr);
    assert.match(http.stdout, new RegExp(`^503 .*\n(?:${codes.join("|")}): .*kinit`));
    const line = await forwarder.waitForLog((line) => isNew(line) && line.msg === "session failed");
    assert.ok(codes.includes(String(line.code)), String(line.code));
    assert.match(String(line.reason), /kinit/);
  }

  /** Transfers of which the first half is there. */
  async function transfers(user: string) {
    const sends: (() => void)[] = [];
    const origin = await halves((send) => sends.push(send));
    const running = await Promise.all(
      ["socks5h", "http"].map((scheme) => start("curl", curl(scheme, origin.port), { input: "", test: t })),
    );
    for (const each of running) while (each.stdoutBytes().length < HALF.length) await delay(10);
    return {
      /** They come to their end, whatever has become of the ticket. */
      async goOn(): Promise<void> {
        for (const send of sends) send();
        for (const each of running) {
          assert.deepEqual(await each.exited, { code: 0, signal: null }, each.stderr());
          assert.ok(each.stdout() === HALF + HALF);
        }
        const principals = new Map<unknown, unknown>();
        await proxy.audit(({ destination, session, principal }) => {
          if (destination === `localhost:${origin.port}`) principals.set(session, principal);
          return principals.size === running.length;
        });
        assert.deepEqual(new Set(principals.values()), new Set([`${user}@EXAMPLE.TEST`]));
      },
    };
  }

  async function ended(name: string): Promise<void> {
    while ((await runToEnd("klist", ["-s", "-c", name], { env: realm.env })).code === 0) await delay(200);
  }

  await t.test("not there yet", async () => {
    await assertRefused("NO_TICKET");
    await realm.kinit("alice", { ccache });
    await assertServed("alice");
  });

  await t.test("another user's", async () => {
    const alices = await transfers("alice");
    await realm.kinit("bob", { ccache });
    await assertServed("bob");
    await alices.goOn();
  });

  await t.test("destroyed", async () => {
    const bobs = await transfers("bob");
    await run("kdestroy", ["-c", ccache], { env: realm.env });
    await assertRefused("NO_TICKET");
    await bobs.goOn();
  });

  await t.test("renewed, and at its end all the same", async () => {
    const copy = `FILE:${realm.dir}/copy`;
    await realm.kinit("alice", { ccache, lifetime: LIFE, args: ["-r", "1h"] });
    // Ends as the first one would have.
    await run("cp", [ccache.slice(5), copy.slice(5)]);
    const [first, second] = [await transfers("alice"), await transfers("alice")];
    await delay(RENEWED * 1000);
    await run("kinit", ["-R", "-c", ccache], { env: realm.env });
    await ended(copy);
    await assertServed("alice");
    await first.goOn();

    await ended(ccache);
    // In its last second it is the other one.
    await assertRefused("TICKET_EXPIRED", "CONTEXT_EXPIRED");
    await second.goOn();
    await realm.kinit("alice", { ccache });
    await assertServed("alice");
  });
});
