// What a failure of the operating system or the resolver becomes. No network gives all of these at will, so connect(2)
// and getaddrinfo(3) are replaced here; dialer.test has the real ones.
import assert from "node:assert/strict";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import net, { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { dial, resolve } from "../../../src/relay/dialer.js";

function replace<Key extends string>(test: TestContext, owner: object, key: Key, value: unknown): void {
  const original = Reflect.get(owner, key);
  const set = (each: unknown) => {
    Reflect.set(owner, key, each);
    syncBuiltinESMExports();
  };
  test.after(() => set(original));
  set(value);
}

const failing = (code: string) => Object.assign(new Error(code), { code });

test("errno to REP (RFC 1928 §6)", async (t) => {
  let errno = "";
  replace(t, net, "connect", () => new Socket().destroy(failing(errno)));
  const table: [errno: string, rep: number][] = [
    ["ENETUNREACH", 0x03],
    ["ENETDOWN", 0x03],
    ["EADDRNOTAVAIL", 0x03],
    ["EAFNOSUPPORT", 0x03],
    ["EINVAL", 0x03],
    ["EHOSTUNREACH", 0x04],
    ["EHOSTDOWN", 0x04],
    ["ECONNREFUSED", 0x05],
    ["ETIMEDOUT", 0x06],
    ["EACCES", 0x01],
    ["ECONNRESET", 0x01],
    ["EMFILE", 0x01],
  ];
  for (const [code, rep] of table) {
    errno = code;
    await assert.rejects(dial(["192.0.2.1"], 80, { timeout: 10_000 }), (error) => {
      assert.ok(error instanceof NetworkError);
      assert.deepEqual([error.code, error.rep], ["DESTINATION_REFUSED", rep]);
      assert.match(error.message, new RegExp(`^192\\.0\\.2\\.1 port 80: .*${code}`));
      return true;
    });
  }
});

test("families take turns, the resolver's first one first, and sixteen addresses are enough", async (t) => {
  let found: { address: string; family: number }[] = [];
  replace(t, dns, "lookup", async () => found);
  const v6 = (count: number) => Array.from({ length: count }, (_, n) => ({ address: `6-${n}`, family: 6 }));
  const v4 = (count: number) => Array.from({ length: count }, (_, n) => ({ address: `4-${n}`, family: 4 }));
  found = [...v6(3), ...v4(1)];
  assert.deepEqual(await resolve("host.test"), ["6-0", "4-0", "6-1", "6-2"]);
  found = [...v4(1), ...v6(2)];
  assert.deepEqual(await resolve("host.test"), ["4-0", "6-0", "6-1"]);
  found = [...v4(40), ...v6(40)];
  const many = await resolve("host.test");
  assert.equal(many.length, 16);
  assert.deepEqual(many.slice(0, 3), ["4-0", "6-0", "4-1"]);
});

test("a name that is not there, and one that nobody could tell of: REP 0x04", async (t) => {
  let errno = "";
  replace(t, dns, "lookup", async () => {
    throw failing(errno);
  });
  for (const [code, expected] of [
    ["ENOTFOUND", "NAME_NOT_FOUND"],
    ["ENODATA", "NAME_NOT_FOUND"],
    ["EAI_AGAIN", "NAME_LOOKUP_FAILED"],
    ["ESERVFAIL", "NAME_LOOKUP_FAILED"],
  ] as const) {
    errno = code;
    await assert.rejects(
      resolve("host.test"),
      (error) => error instanceof NetworkError && error.code === expected && error.rep === 0x04,
    );
  }
});

test("the real resolver knows localhost", async () => {
  const addresses = await resolve("localhost");
  assert.ok(addresses.length > 0);
  for (const address of addresses) assert.match(address, /^(127\.0\.0\.1|::1)$/);
});
