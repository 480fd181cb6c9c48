// docs/protocol.md: each row of the tables with a column "tests" names tests, and they are there.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../../../", import.meta.url);

test("every point where we differ from an RFC has a test", () => {
  let rows = 0;
  let inTable = false;
  for (const line of readFileSync(new URL("docs/protocol.md", ROOT), "utf8").split("\n")) {
    if (!line.startsWith("|")) inTable = false;
    else if (line.endsWith("| tests |")) inTable = true;
    else if (inTable && !/^[| -]+$/.test(line)) {
      rows += 1;
      const cells = line.split("|").map((cell) => cell.trim());
      for (const path of (cells.at(-2) ?? "").split(", "))
        assert.ok(existsSync(new URL(`test/${path}.test.ts`, ROOT)), `${cells[1]}: no test ${path}`);
    }
  }
  assert.ok(rows > 20, `${rows} rows`);
});
