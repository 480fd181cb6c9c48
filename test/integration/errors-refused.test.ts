/**
 * What both ends say when the proxy can't be reached, is none, or refuses: the client's message names the cause, the
 * server's log line names the client, its principal, the step, a code and the reason. The client's exit status is 1.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

interface Refusal {
  /** Added to `connect 127.0.0.1 PORT --proxy PROXY`. */
  options?: string[];
  destination?: [host: string, port: number];
  says: RegExp;
  log: { code: string; step: string; reason: RegExp };
}

test("what both ends say of a refusal", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, {
    rules: [{ deny: { to: ["*.bank.test"] } }, { allow: { to: ["127.0.0.1", "*.example.test"] } }],
  });
  const origin = await Origin.start((socket) => socket.end());
  t.after(() => origin.stop());
  const gone = await Origin.start(() => {});
  const closedPort = gone.port;
  await gone.stop();

  async function connect(
    destination: [string, number],
    address: string,
    options: string[] = [],
  ): Promise<string> {
    const [host, port] = destination;
    const args = ["connect", host, String(port), "--proxy", address, ...options];
    const { code, stdout, stderr } = await gssocks(args, { env: realm.env });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^gssocks: [^\n]+\n$/);
    return stderr;
  }

  await t.test("nothing listens where the proxy should be", async () => {
    const text = await connect(["127.0.0.1", 9], `localhost:${closedPort}`);
    assert.ok(text.includes(`the proxy localhost port ${closedPort} can't be reached:`), text);
    assert.match(text, /connection refused/);
  });

  await t.test("the proxy's name does not exist", async () => {
    const text = await connect(["127.0.0.1", 9], "proxy.invalid:1080");
    assert.match(text, /the proxy proxy\.invalid port 1080 can't be reached: the name proxy\.invalid /);
  });

  await t.test("what listens there is no SOCKS proxy", async (t) => {
    const web = await Origin.start((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    t.after(() => web.stop());
    assert.match(await connect(["127.0.0.1", 9], `localhost:${web.port}`), /SOCKS5/);
    const mute = await Origin.start((socket) => socket.end());
    t.after(() => mute.stop());
    assert.match(
      await connect(["127.0.0.1", 9], `localhost:${mute.port}`),
      /closed .*is it a SOCKS5 proxy\?/,
    );
  });

  await t.test("a proxy without GSS-API", async (t) => {
    const other = await Origin.start((socket) =>
      socket.once("data", () => socket.end(Buffer.from([0x05, 0xff]))),
    );
    t.after(() => other.stop());
    assert.match(
      await connect(["127.0.0.1", 9], `localhost:${other.port}`),
      /takes no method that we offer: gssapi \(it answered 05 ff\)/,
    );
  });

  const refusals: Readonly<Record<string, Refusal>> = {
    "the level that the client wants": {
      options: ["--level", "none"],
      says: /answered with protection level confidentiality, we accept only none; allow that level there \(gssapi\.protectionLevels\) or .*--level/,
      log: {
        code: "LEVEL_REFUSED",
        step: "request",
        reason:
          /closed after our counter-offer: it offered level none, we answered confidentiality \(gssapi\.protectionLevels\)/,
      },
    },
    "NEC mode": {
      options: ["--nec"],
      says: /the proxy refused protection level confidentiality in NEC mode \(01 ff\); its log says why/,
      log: { code: "NEC_NOT_ALLOWED", step: "protection level negotiation", reason: /NEC mode.*gssapi\.nec/ },
    },
    "a rule": {
      destination: ["www.bank.test", 443],
      says: /the proxy's rules deny www\.bank\.test:443: .*\(REP 2\); its audit log names the rule/,
      log: { code: "RULE_DENIED", step: "reply", reason: /www\.bank\.test:443 is denied: rule 1 denies/ },
    },
    "no rule": {
      destination: ["192.0.2.1", 80],
      says: /the proxy's rules deny 192\.0\.2\.1:80/,
      log: { code: "RULE_DENIED", step: "reply", reason: /192\.0\.2\.1:80 is denied: no rule matches/ },
    },
    "the destination": {
      destination: ["127.0.0.1", closedPort],
      says: new RegExp(
        `the proxy could not reach 127\\.0\\.0\\.1:${closedPort}: connection refused \\(REP 5\\)`,
      ),
      log: { code: "DESTINATION_REFUSED", step: "reply", reason: /connection refused \(ECONNREFUSED\)/ },
    },
    "the destination's name": {
      destination: ["nosuch.example.test", 80],
      says: /the proxy could not reach nosuch\.example\.test:80: host unreachable \(REP 4\)/,
      log: {
        code: "NAME_",
        step: "reply",
        reason: /the name nosuch\.example\.test (does not exist|could not be looked up)/,
      },
    },
  };

  const open: [string, number] = ["127.0.0.1", origin.port];
  for (const [what, { options, destination = open, says, log }] of Object.entries(refusals)) {
    await t.test(what, async () => {
      assert.match(await connect(destination, proxy.address, options), says);
      const line = await proxy.waitForLog(
        (line) => line.msg === "session failed" && log.reason.test(String(line.reason)),
      );
      assert.ok(String(line.code).startsWith(log.code), String(line.code));
      assert.equal(line.step, log.step);
      assert.equal(line.principal, "alice@EXAMPLE.TEST");
      assert.match(String(line.client), /^127\.0\.0\.1:\d+$/);
    });
  }
});
