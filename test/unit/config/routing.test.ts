/**
 * What a forwarder's lists come to: its rules send each destination the way that no_proxy's own reading says, and look up no
 * name but those that go direct.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { parseForwarder } from "../../../src/config/forwarder.js";
import { goesDirect, parseNoProxy } from "../../../src/policy/no-proxy.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { parseHost } from "../../../src/protocol/address.js";
import { asking } from "../policy/client.js";
import { LISTS, split } from "../policy/no-proxy-cases.js";

const UPSTREAMS = { proxy: { proxies: ["proxy.example.test:1080"] } };

function parsed(written: object) {
  const source = stringify({ upstreams: UPSTREAMS, ...written });
  return parseForwarder(source, "forward.yaml", { socket: null, logLevel: "info" }).config;
}

/** @param addresses what the name has here, where it is looked up */
function wayOf(written: object, destination: string, addresses: readonly string[] = ["192.0.2.9"]): string {
  const ruleset = new Ruleset(parsed(written).rules, () => false, true);
  const { host: text, port } = split(destination);
  const host = parseHost(text.replace(/^\[|\]$/g, ""));
  const request = { ...asking(), port };
  if (host.kind === "domain") {
    const { effect, terms } = ruleset.evaluateName({ ...request, name: host.name });
    if (effect === "deny") return "refused";
    if (effect === "allow") return `by name via ${terms.via}`;
    const { allowed, denial } = ruleset.permitted({ ...request, name: host.name }, addresses);
    if (denial !== null) return `looked up, refused: ${denial.reason}`;
    return `looked up, ${allowed.map(({ address, decision }) => decision.terms.via ?? address).join(", ")}`;
  }
  const { effect, terms } = ruleset.evaluate({ ...request, name: null, address: host.address });
  if (effect === "deny") return "refused";
  return terms.via === null ? "direct" : `via ${terms.via}`;
}

for (const { list, asked } of LISTS) {
  test(`direct: ${list}`, () => {
    const entries = parseNoProxy(list).entries;
    for (const { host, port, destination, direct } of asked) {
      assert.equal(goesDirect(parseNoProxy(list), host, port), direct);
      const way = wayOf({ direct: entries }, destination);
      // Of this host only its addresses open what is protected.
      if (list === "*" && host === "[::1]") assert.equal(way, "refused");
      else
        assert.match(
          way,
          direct ? /^direct$|^looked up, 192/ : /^via proxy$|^by name via proxy$/,
          destination,
        );
    }
  });

  test(`refuse: ${list}`, () => {
    const refuse = parseNoProxy(list).entries;
    for (const { destination, direct } of asked) {
      if (direct) assert.equal(wayOf({ refuse }, destination), "refused", destination);
      else assert.match(wayOf({ refuse, direct: [] }, destination), /^(?:by name )?via proxy$/, destination);
    }
  });
}

test("what is refused is not direct, by whatever name", () => {
  const lists = { direct: [".example.test", "10.0.0.0/8"], refuse: ["evil.example.test", "10.9.0.0/16"] };
  assert.equal(wayOf(lists, "evil.example.test:80"), "refused");
  assert.equal(wayOf(lists, "10.9.1.1:80"), "refused");
  assert.match(
    wayOf(lists, "a.example.test:80", ["10.9.1.1"]),
    /^looked up, refused: .*on the list of what is refused/,
  );
  assert.equal(wayOf(lists, "a.example.test:80", ["10.9.1.1", "10.1.1.1"]), "looked up, 10.1.1.1");
});

test("a name that goes direct leads nowhere that is protected, and by no other way", () => {
  const direct = [".example.test", "db.test"];
  for (const name of ["a.example.test:80", "db.test:80", "b.db.test:80"])
    for (const address of ["127.0.0.1", "169.254.169.254", "::1"])
      assert.match(
        wayOf({ direct }, name, [address]),
        /^looked up, refused: .*unless the list has the address/,
      );
  assert.equal(
    wayOf({ direct: [...direct, "127.0.0.0/8"] }, "db.test:80", ["127.0.0.1"]),
    "looked up, 127.0.0.1",
  );
  assert.equal(wayOf({ direct: ["localhost"] }, "localhost:80", ["127.0.0.1"]), "looked up, 127.0.0.1");
  assert.equal(wayOf({ direct: ["*", "127.0.0.1"] }, "127.0.0.1:80"), "direct");
});

test("the lists come before rules of one's own", () => {
  const rules = [{ deny: { to: ["a.test"] } }, { allow: {}, via: "proxy" }];
  const lists = { rules, direct: ["a.test"], refuse: ["b.test"] };
  assert.match(wayOf(lists, "a.test:80"), /^looked up, 192/);
  assert.equal(wayOf(lists, "b.test:80"), "refused");
  assert.equal(wayOf({ rules }, "a.test:80"), "refused");
});

test("a list's problems have its path and line", () => {
  const source = "direct:\n  - a.test\n  - a..test\nrefuse: b.test\nlog: { level: loud }\n";
  assert.throws(
    () => parseForwarder(source, "f", { socket: null, logLevel: "info" }),
    (error: { problems: { path: string; line?: number; message: string }[] }) => {
      assert.deepEqual(
        error.problems.map(({ path, line }) => [path, line]),
        [
          ["direct[1]", 3],
          ["refuse", 4],
          ["log.level", 5],
        ],
      );
      assert.match(error.problems[1]?.message ?? "", /expected a list, found "b\.test"/);
      return true;
    },
  );
});

test("a listener of a forwarder has what it leaves out", () => {
  const self = process.platform === "linux" ? ["self"] : null;
  const { listeners } = parsed({
    direct: [".example.test"],
    listeners: [
      { address: "127.0.0.1:2" },
      { address: "127.0.0.1:3", methods: ["password"] },
      { address: "127.0.0.1:4", http: false },
      { address: "127.0.0.1:5", pac: { direct: ["a.test"], proxies: ["PROXY b.test:1"] } },
      { address: "unix:/run/forward" },
    ],
    passwords: { file: "/users" },
  });
  assert.deepEqual(
    listeners.map(({ owners, socks4, http, pac }) => [owners, socks4?.identity, http, pac?.direct.entries]),
    [
      [self, "none", true, [".example.test"]],
      [self, undefined, true, [".example.test"]],
      [self, "none", false, undefined],
      [self, "none", true, ["a.test"]],
      [self, "none", true, undefined],
    ],
  );
});
