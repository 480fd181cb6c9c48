// docs/rules.md: each case's configuration loads, and its lines say what `gssocks explain` says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Command } from "commander";
import { explainOptions, type Flags, questionOf } from "../../../src/cli/explain.js";
import { explain } from "../../../src/cli/explanation.js";
import { parseConfig } from "../../../src/config/load.js";

const TEXT = readFileSync(new URL("../../../../docs/rules.md", import.meta.url), "utf8");
const [, ...CASES] = TEXT.split(/^## (?=\d)/m);

const LEAST_CASES = 10;
const LEAST_LINES = 40;

test("there are cases", () => {
  assert.ok(CASES.length >= LEAST_CASES);
  assert.ok((TEXT.match(/ → /g) ?? []).length >= LEAST_LINES);
});

for (const text of CASES) {
  test(text.slice(0, text.indexOf("\n")), async () => {
    const [, yaml] = /^```yaml\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const [, lines = ""] = /^```text\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const config = parseConfig(yaml ?? "", "docs/rules.md");
    const deciding = new Set<number | null>();
    for (const line of lines.trim().split("\n")) {
      const [args = "", decision, rule] = line.split(/ → |, (?=rule|no rule)/);
      const { decision: found, rule: by, reason } = await explain(config, questionOf(flagsOf(args)));
      assert.deepEqual(
        [found, by === null ? "no rule" : `rule ${by}`],
        [decision, rule],
        `${line}: ${reason}`,
      );
      deciding.add(by);
    }
    const decides = config.rules.filter((_, index) => deciding.has(index + 1)).length;
    assert.ok(decides >= config.rules.length - 1, "nearly each rule is seen to decide");
  });
}

function flagsOf(args: string): Flags {
  const command = explainOptions(new Command("explain")).exitOverride();
  command.parse(["config.yaml", ...args.split(" ")], { from: "user" });
  return command.opts();
}
