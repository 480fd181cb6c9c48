// Whose sessions a pattern means.
import assert from "node:assert/strict";
import { test } from "node:test";
import { matches } from "../../../src/control/control-message.js";

test("each star stands for any text, all else for itself", () => {
  const name = "host/db.example.test@EXAMPLE.TEST";
  for (const pattern of [
    name,
    "*",
    "**",
    "host/*",
    "*@EXAMPLE.TEST",
    "host/*@EXAMPLE.TEST",
    "*db*TEST",
    "*.*.*@*",
  ])
    assert.ok(matches(name, pattern), pattern);
  for (const pattern of [
    "",
    "host",
    "host/",
    "*@EXAMPLE",
    "HOST/*",
    "host/*@EXAMPLE.TEST@*",
    "?*",
    ".*",
    "*ab*",
  ])
    assert.ok(!matches(name, pattern), pattern);
  assert.ok(matches("", "*"));
  assert.ok(matches("", ""));
  assert.ok(!matches("aba", "ab*ba"));
  assert.ok(matches("abba", "ab*ba"));
});
