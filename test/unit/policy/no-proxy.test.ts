/** What goes past the proxy, and what is no list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import { goesDirect, parseNoProxy } from "../../../src/policy/no-proxy.js";
import { LISTS } from "./no-proxy-cases.js";

for (const { list, asked } of LISTS) {
  test(`no_proxy=${list}`, () => {
    const parsed = parseNoProxy(list);
    for (const { host, port, destination, direct } of asked)
      assert.equal(goesDirect(parsed, host, port), direct, destination);
  });
}

test("what is none of these is told", () => {
  for (const list of ["a*b", "10.0.0.0/33", "10.0.0.1/8", "a:b", "a:0", "[::1", "exa$mple", "loopback"])
    assert.throws(() => parseNoProxy(`ok.test,${list}`), UsageError, list);
});
