// What draws a view: as many lines as there are, none longer than the window, and nothing left of the view before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted } from "../../../src/cli/screen.js";

/** Each line is cleared before it is written: behind its last character there may be no place left. */
const [HOME, CLEAR, BELOW] = ["\x1b[H", "\x1b[2K", "\x1b[J"];

test("a view is cut to the window", () => {
  const size = { columns: 4, rows: 3 };
  assert.equal(fitted("ab\n", size), `${HOME}${CLEAR}ab\r\n${BELOW}`);
  assert.equal(fitted("abcde\n\nf\n", size), `${HOME}${CLEAR}abcd\r\n${CLEAR}\r\n${CLEAR}f`);
  assert.equal(fitted("a\nb\nc\nd\n", size), `${HOME}${CLEAR}a\r\n${CLEAR}b\r\n${CLEAR}(2 m`);
  assert.equal(fitted("a\nb\n", { columns: 20, rows: 1 }), `${HOME}${CLEAR}(2 more lines)`);
  assert.equal(fitted("😀😀😀😀😀", size), `${HOME}${CLEAR}😀😀😀😀\r\n${BELOW}`, "no character is halved");
});

test("a terminal that does not say how large it is", () => {
  const text = `${"x".repeat(200)}\n`.repeat(100);
  for (const size of [{}, { columns: 0, rows: 0 }]) {
    const lines = fitted(text, size).split("\r\n");
    assert.equal(lines.length, 24);
    assert.equal(lines[1], `${CLEAR}${"x".repeat(80)}`);
  }
});
