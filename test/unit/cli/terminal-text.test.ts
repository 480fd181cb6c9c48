// What is written to a terminal: names that would do something there, and lines as long as the window is wide.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonLine, plainText, wrapped } from "../../../src/cli/terminal-text.js";

/** Control characters of both kinds, a change of direction, a tag, half of a pair. */
const HOSTILE = "a\x1b[2J\x07\r\n\x7f\u009b\u202e\u{e0041}\ud800 é 漢 😀";

test("text is text", () => {
  assert.equal(plainText(HOSTILE), "a?[2J???????? é 漢 😀");
});

test("JSON is text too, and says the same", () => {
  const line = jsonLine({ [HOSTILE]: HOSTILE });
  assert.equal(plainText(line), `${line.trimEnd()}?`);
  assert.deepEqual(JSON.parse(line), { [HOSTILE]: HOSTILE });
});

test("words stay whole", () => {
  assert.equal(wrapped("one two three four", undefined), "one two three four");
  assert.equal(wrapped("one two three four", 0), "one two three four");
  assert.equal(wrapped("one two three four", 18), "one two three four");
  assert.equal(wrapped("one two three four", 9), "one two\n  three\n  four");
  assert.equal(wrapped("FILE:/a/long/path is not there", 8), "FILE:/a/long/path\n  is not\n  there");
});
