/**
 * The man pages: one for each command and one for the configuration, which groff and mandoc take without a warning, and
 * which have all that --help and the schema have.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ADMINISTRATION, createProgram } from "../../src/cli/program.js";
import { jsonSchema } from "../../src/config/json-schema.js";
import { runToEnd } from "../support/processes.js";

const MANUAL = fileURLToPath(new URL("../../man/", import.meta.url));
const PAGES = readdirSync(MANUAL, { recursive: true, encoding: "utf8" }).filter((each) => /\.\d$/.test(each));
const commands = createProgram().commands;

test("there is a page for each command and for the configuration, and no other", () => {
  const section = (group: string) => (group === ADMINISTRATION ? 8 : 1);
  const names = commands.map((each) => `gssocks-${each.name()}.${section(each.helpGroup())}`);
  const expected = ["gssocks.1", "gssocks.yaml.5", ...names].map((each) => `man${each.slice(-1)}/${each}`);
  assert.deepEqual(PAGES.toSorted(), expected.sort());
});

for (const page of PAGES) {
  test(`${page} is taken without a warning`, async () => {
    const lint = await runToEnd("mandoc", ["-Tlint", "-Wwarning", path.join(MANUAL, page)]);
    assert.deepEqual([lint.code, lint.stdout, lint.stderr], [0, "", ""]);
    const man = await runToEnd("man", ["--warnings", "-l", path.join(MANUAL, page)], {
      env: { LC_ALL: "C.UTF-8", MANWIDTH: "80", MANPAGER: "cat" },
    });
    assert.deepEqual([man.code, man.stderr], [0, ""]);
    assert.match(man.stdout, /^NAME\n +gssocks\S* +- +\S/m);
  });
}

/** As it is read, a line without end. */
async function shown(page: string): Promise<string> {
  const { stdout } = await runToEnd("mandoc", ["-Tutf8", "-Owidth=1000", path.join(MANUAL, page)]);
  return (
    stdout
      // Bold is a letter typed twice.
      .split("\b")
      .map((part, index, { length }) => (index < length - 1 ? part.slice(0, -1) : part))
      .join("")
      .replaceAll(/\s+/g, " ")
  );
}

test("a command's page has its options, arguments, words and defaults", async () => {
  for (const command of commands) {
    const page = PAGES.find((each) => path.basename(each).startsWith(`gssocks-${command.name()}.`));
    const text = await shown(page as string);
    for (const { long, argChoices = [], description } of command.createHelp().visibleOptions(command))
      for (const each of [long as string, ...argChoices, description.slice(1)])
        assert.ok(text.includes(each.replaceAll(/\s+/g, " ").replaceAll("`", "")), `${page}: ${each}`);
    for (const argument of command.registeredArguments)
      assert.ok(text.includes(argument.description.slice(1)), `${page}: ${argument.name()}`);
  }
  const connect = await shown("man1/gssocks-connect.1");
  assert.match(connect, /SYNOPSIS gssocks connect --proxy host:port \[options\] host port DESCRIPTION/);
  assert.match(connect, / -t, --timeout seconds Give up .*?\. By default 60\./);
  assert.match(connect, /EXIT STATUS 0 done, 1 failed, 2 bad command line or configuration\./);
  assert.match(await shown("man8/gssocks-explain.8"), /EXIT STATUS 0 allowed, 1 denied, 2 bad /);
});

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

test("the configuration's page has every key, with its words", async () => {
  const text = await shown("man5/gssocks.yaml.5");
  function look({ properties = {}, items }: Schema): void {
    for (const [key, value] of Object.entries(properties)) {
      const words = (value.description ?? "").replaceAll("`", "").replaceAll(/\s+/g, " ");
      assert.ok(text.includes(` ${key} ${words}`), `${key} ${words}`);
      look(value);
    }
    if (items !== undefined) look(items);
  }
  look(jsonSchema() as Schema);
  assert.match(text, / idle No octet or datagram either way\. .{1,100} \(by default 1h\)/);
  assert.match(text, / minVersion .{1,100} \(one of TLSv1\.2, TLSv1\.3; by default TLSv1\.2\)/);
  assert.ok(readFileSync(path.join(MANUAL, "man5/gssocks.yaml.5"), "utf8").includes("\n.SH EXAMPLE\n"));
});
