/** getaddrinfo on threads of its own, in a network namespace with a hosts file of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { native } from "../../src/gss/native.js";
import { inNetworkNamespace } from "../support/network-namespace.js";

const ADDRESSES = ["2001:db8::10", "2001:db8::11", "192.0.2.10"];

const NETWORK = {
  ip: [
    "addr add 192.0.2.10/32 dev lo",
    "addr add 2001:db8::10/128 dev lo",
    "addr add 2001:db8::11/128 dev lo",
  ],
  hosts: { "host.example.test": ADDRESSES },
};

inNetworkNamespace(import.meta.url, NETWORK, () => {
  /** Fulfilled with what the look-up is, which does not keep the process. */
  async function lookUp(name: string): Promise<string[]> {
    const waiting = setInterval(() => {}, 1000);
    try {
      return await native.lookUpHost(name);
    } finally {
      clearInterval(waiting);
    }
  }

  test("every address once, as text", async () => {
    assert.deepEqual((await lookUp("host.example.test")).sort(), [...ADDRESSES].sort());
    assert.deepEqual(await lookUp("192.0.2.7"), ["192.0.2.7"]);
    assert.deepEqual(await lookUp("fe80::1%lo"), ["fe80::1"]);
    const many = await Promise.all(Array.from({ length: 200 }, () => lookUp("host.example.test")));
    for (const each of many) assert.equal(each.length, 3);
  });

  test("failures have getaddrinfo's code and text", async () => {
    // A label of more than 63 octets is asked of nobody.
    await assert.rejects(lookUp(`${"x".repeat(64)}.test`), (error: Error & { code: string }) => {
      assert.match(error.code, /^EAI_(NONAME|FAIL)$/);
      assert.notEqual(error.message, "");
      return true;
    });
  });

  test("what is no name", () => {
    const lookUp = native.lookUpHost as (name?: unknown) => Promise<unknown>;
    for (const name of [undefined, null, 5, {}, Buffer.from("localhost"), "local\0host"]) {
      assert.throws(() => lookUp(name), TypeError, String(name));
    }
    assert.throws(() => lookUp("x".repeat(70_000)), RangeError);
  });
});
