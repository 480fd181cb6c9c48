// What a failure of the operating system becomes. No network gives all of these at will, so connect(2) is replaced here;
// dialer.test has the real one.
import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import net, { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { dial } from "../../../src/relay/dialer.js";

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
