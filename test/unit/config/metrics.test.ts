import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/errors.js";

const LISTENER = "listeners: [{ address: 127.0.0.1:1080 }]\n";

function addressOf(text: string) {
  return parseConfig(`${LISTENER}${text}`, "f").metrics;
}

test("metrics are off unless asked for, and on loopback unless said", () => {
  assert.equal(addressOf(""), null);
  assert.deepEqual(addressOf("metrics: {}"), { host: "127.0.0.1", port: 9464 });
  assert.deepEqual(addressOf('metrics: { address: "[::1]:0" }'), { host: "::1", port: 0 });
  assert.deepEqual(addressOf("metrics: { address: 127.9.9.9:1 }"), { host: "127.9.9.9", port: 1 });
});

test("where other hosts could read them, the file has to say so", () => {
  for (const address of ["192.0.2.1:9464", "*:9464", "0.0.0.0:9464", "[::]:9464", "[2001:db8::1]:9464"]) {
    assert.throws(
      () => addressOf(`metrics: { address: "${address}" }`),
      (error) =>
        error instanceof ConfigError &&
        error.message.startsWith("f:2: metrics.address: other hosts could read the metrics"),
      address,
    );
    assert.notEqual(addressOf(`metrics: { address: "${address}", remote: true }`), null);
  }
});
