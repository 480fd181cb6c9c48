// Columns, and names that clients have chosen to do something to a terminal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "../../../src/cli/table.js";

test("columns are as wide as what is in them", () => {
  assert.equal(
    table(
      ["A", "LONG"],
      [
        ["value", "x"],
        ["", "y"],
      ],
    ),
    "A      LONG\nvalue  x\n       y\n",
  );
});

test("what is no text is a question mark", () => {
  assert.equal(
    table(["NAME"], [["a\x1b[2Jb\nc\u202e\u009b"], ["müller@É.TEST"]]),
    "NAME\na?[2Jb?c??\nmüller@É.TEST\n",
  );
});
