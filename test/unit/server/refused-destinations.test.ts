// What the log is told of refused destinations: each once, ten a second, and how many others there were.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PolicyError } from "../../../src/errors.js";
import { formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { RefusedDestinations } from "../../../src/server/refused-destinations.js";

function start(remembered: number) {
  const events: [destination: string, untold: number][] = [];
  let now = 0;
  const refused = new RefusedDestinations(
    remembered,
    (dst, error, untold) => {
      assert.equal(error.code, "RULE_DENIED");
      events.push([formatEndpoint(dst), untold]);
    },
    () => now,
  );
  return {
    events,
    forget: (host: string, port: number) => refused.forget({ host: parseHost(host), port }),
    close: () => refused.close(),
    wait: (ms: number) => {
      now += ms;
    },
    add: (host: string, port: number) =>
      refused.add({ host: parseHost(host), port }, new PolicyError("RULE_DENIED", "no rule")),
  };
}

test("each destination is told of once, as long as it is remembered", () => {
  const { events, add, close } = start(2);
  for (const host of ["::1", "b.test", "::1", "b.test", "192.0.2.9", "::1"]) add(host, 53);
  close();
  assert.deepEqual(events, [
    ["[::1]:53", 0],
    ["b.test:53", 0],
    ["192.0.2.9:53", 0],
    ["[::1]:53", 0],
  ]);
});

test("a flood costs ten events a second, the next one says how many are missing", () => {
  const { events, add, close, wait } = start(4);
  for (let port = 1; port <= 1000; port += 1) add("192.0.2.9", port);
  assert.deepEqual(
    events,
    Array.from({ length: 10 }, (_, index) => [`192.0.2.9:${index + 1}`, 0]),
  );
  wait(100);
  add("192.0.2.9", 2000);
  assert.deepEqual(events.at(-1), ["192.0.2.9:2000", 990]);
  for (let port = 1; port <= 5; port += 1) add("192.0.2.9", port);
  assert.equal(events.length, 11);
  close();
  assert.deepEqual(events.slice(11), [["192.0.2.9:5", 4]]);
});

test("one that was allowed meanwhile is told of again", () => {
  const { events, add, forget } = start(4);
  for (let times = 0; times < 2; times += 1) {
    add("b.test", 53);
    add("b.test", 53);
    forget("b.test", 53);
  }
  assert.deepEqual(events, [
    ["b.test:53", 0],
    ["b.test:53", 0],
  ]);
});
