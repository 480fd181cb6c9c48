/** What a listener's keys say of each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { parseConfig } from "../../../src/config/load.js";

function problemsOf(...listeners: object[]): string {
  try {
    parseConfig(stringify({ listeners }), "file");
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const LINUX = process.platform === "linux";

test("what a Unix socket can't have", () => {
  const address = "unix:/run/proxy";
  assert.equal(problemsOf({ address, owners: ["self", "alice", 1000, "1001"] }), LINUX ? "" : problemsOf({}));
  assert.match(problemsOf({ address, tls: { certificate: "/c", key: "/k" } }), /nothing is to be protected/);
  assert.match(problemsOf({ address, socks4: { identity: "ident" } }), /no Ident server/);
  assert.equal(problemsOf({ address, socks4: { identity: "none" } }), "");
  assert.match(problemsOf({ address, sources: [{ from: ["10.0.0.0/8"], methods: ["none"] }] }), /no address/);
  assert.match(problemsOf({ address }, { address }), /an earlier listener has this address/);
  assert.doesNotMatch(problemsOf({ address, methods: ["password"] }), /in clear/);
});

test("a name of systemd's may stand for several sockets, of which nothing is known", () => {
  const address = "systemd:proxy";
  assert.equal(problemsOf({ address }, { address }), "");
  assert.match(problemsOf({ address, methods: ["password"] }), /in clear/);
});

test("owners of listeners that others reach", { skip: !LINUX && "owners are for Linux" }, () => {
  for (const address of ["*:1080", "0.0.0.0:1080", "192.0.2.1:1080"])
    assert.match(
      problemsOf({ address, owners: ["self"] }),
      /listen on loopback or on a Unix socket/,
      address,
    );
  for (const address of ["127.0.0.1:1080", "[::1]:1080", "systemd:proxy"])
    assert.equal(problemsOf({ address, owners: ["self"] }), "", address);
  const on = (owners: unknown) => problemsOf({ address: "127.0.0.1:1080", owners });
  assert.match(on([]), /the list is empty; leave owners out to let every user in/);
  assert.match(on(["self", "self"]), /listed twice/);
  for (const owner of [-1, 0xffff_ffff, 1.5, "a b", "", true])
    assert.match(on([owner]), /owners\[0\]: expected/);
});

test("an auto-configuration is for browsers", () => {
  const at = (pac: unknown, listener: object = { http: true, methods: ["none"] }) =>
    problemsOf({ address: "127.0.0.1:3128", ...listener, pac });
  assert.equal(at({}), "");
  assert.equal(
    at({ direct: [".a.test", "<local>", "*"], proxies: ["PROXY a.test:1", "SOCKS5 [::1]:1"] }),
    "",
  );
  assert.match(at({}, {}), /pac: browsers ask for it by HTTP: add http: true/);
  const unix = { address: "unix:/run/proxy", http: true, methods: ["none"] };
  assert.match(at({}, unix), /pac: a Unix socket is no address for browsers/);
  assert.equal(at({ proxies: ["PROXY a.test:1"] }, unix), "");
  assert.match(
    at({ direct: ["a.test", "a..b"] }),
    /pac\.direct\[1\]: expected an address, a network, a name/,
  );
  for (const proxy of ["DIRECT", "PROXY a.test", "proxy a.test:1", "PROXY  a.test:1", 'PROXY a"b:1'])
    assert.match(at({ proxies: [proxy] }), /pac\.proxies\[0\]: expected/, proxy);
});

test("rules may name any listener", () => {
  const config = (listener: string) => ({
    listeners: [{ address: "unix:/run/proxy" }, { address: "systemd:proxy" }],
    rules: [{ allow: { listener: [listener] } }],
  });
  const parse = (listener: string) => parseConfig(stringify(config(listener)), "file");
  for (const listener of ["unix:/run/proxy", "systemd:proxy"]) parse(listener);
  assert.throws(() => parse("unix:/run/other"), /the address of one of the listeners/);
});
