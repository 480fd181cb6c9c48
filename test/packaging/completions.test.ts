/**
 * Completion in bash, zsh and fish: each shell loads what the package has for it, and completes every command, options,
 * words that an option takes, and files.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createProgram } from "../../src/cli/program.js";
import { runToEnd } from "../support/processes.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const COMPLETIONS = `${ROOT}dist/completions/`;

const program = createProgram();
const COMMANDS = [...program.commands.map((each) => each.name()), "help"].sort();
/** --long and -s, of one command. */
const optionsOf = (name: string) => {
  const command = program.commands.find((each) => each.name() === name);
  assert.ok(command !== undefined);
  return command.createHelp().visibleOptions(command);
};

async function output(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(command, args, { cwd: ROOT });
  assert.deepEqual([code, stderr], [0, ""], `${command} ${args.join(" ")}: ${stdout}`);
  return stdout;
}

test("bash", async (t) => {
  const file = `${COMPLETIONS}gssocks.bash`;

  /** @param words as bash splits a line: the last is being typed */
  async function complete(...words: readonly string[]): Promise<string[]> {
    const script =
      'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gssocks; printf "%s\\n" "$' +
      '{COMPREPLY[@]}"';
    const lines = await output("bash", ["--norc", "-uc", script, "bash", file, "gssocks", ...words]);
    return lines
      .split("\n")
      .filter((each) => each !== "")
      .sort();
  }

  assert.equal(
    await output("bash", ["--norc", "-c", 'source "$1"; complete -p gssocks', "bash", file]),
    "complete -F _gssocks gssocks\n",
  );
  const table: [words: string[], expected: string[]][] = [
    [[""], COMMANDS],
    [["conn"], ["connect"]],
    [["-"], ["--help", "--version", "-V", "-h"]],
    [
      ["connect", "--tls-bindings", ""],
      ["tls-exporter", "tls-server-end-point"],
    ],
    [
      ["connect", "--tls-bindings", "="],
      ["tls-exporter", "tls-server-end-point"],
    ],
    [["connect", "--tls-bindings", "=", "tls-e"], ["tls-exporter"]],
    [["connect", "--proxy", "proxy.example.test", ":", "1080", "db"], []],
    [["serve", "--config", "tscon"], ["tsconfig.json"]],
    [["explain", "--to", "a.test", ":", "443", "tscon"], ["tsconfig.json"]],
    [["explain", "--to", "a.test", ":", "443", "x.yaml", "tscon"], []],
    [["explain", "--command", "u"], ["udp-associate"]],
  ];
  for (const [words, expected] of table) {
    await t.test(`gssocks ${words.join(" ")}`, async () =>
      assert.deepEqual(await complete(...words), expected),
    );
  }
  for (const name of program.commands.map((each) => each.name())) {
    await t.test(`gssocks ${name} -`, async () => {
      const all = optionsOf(name).flatMap(({ long, short }) => [long, short]);
      assert.deepEqual(await complete(name, "-"), all.filter((each) => each !== undefined).sort());
    });
  }
});

test("fish", async (t) => {
  async function complete(line: string): Promise<string[]> {
    const script = `source ${COMPLETIONS}gssocks.fish; complete -C '${line}'`;
    const lines = await output("fish", ["--no-config", "-c", script]);
    return lines
      .split("\n")
      .map((each) => each.split("\t")[0] ?? "")
      .filter((each) => each !== "")
      .sort();
  }

  const table: [line: string, expected: string[]][] = [
    ["gssocks ", COMMANDS],
    ["gssocks conn", ["connect"]],
    ["gssocks connect --tls-bindings ", ["tls-exporter", "tls-server-end-point"]],
    ["gssocks serve --config tscon", ["tsconfig.json"]],
    ["gssocks check tscon", ["tsconfig.json"]],
    ["gssocks connect tscon", []],
    ["gssocks explain --command u", ["udp-associate"]],
  ];
  for (const [line, expected] of table)
    await t.test(line, async () => assert.deepEqual(await complete(line), expected));
  for (const name of program.commands.map((each) => each.name())) {
    await t.test(`gssocks ${name} --`, async () => {
      const all = optionsOf(name).map(({ long }) => long);
      assert.deepEqual(await complete(`gssocks ${name} --`), all.sort());
    });
  }
});

// An interactive zsh at a terminal of its own; what its line holds after a tab.
const ZSH = `
zmodload zsh/zpty
zpty -b shell "TERM=dumb zsh -f -i"
zpty -w shell "PS1='READY>'; autoload -U compinit; compinit -D -u; source $1
  tell() { print -r -- \\"<<\\$BUFFER>>\\"; zle kill-buffer }; zle -N tell
  bindkey '^X' tell; bindkey '^I' complete-word; setopt no_list_beep; print SET-UP"
zpty -r -m shell line '*SET-UP*READY>*'
for typed in "$\{@:2}"; do
  zpty -w -n shell "$typed"$'\\t\\x18'
  zpty -r -m shell line '*<<*>>*'
  print -r -- "$\{$\{line##*<<}%%>>*}"
done
zpty -d shell`.replaceAll("$\\{", "${");

test("zsh", async () => {
  const table: [typed: string, becomes: string][] = [
    ["gssocks conn", "gssocks connect "],
    ["gssocks connect --tls-bindings=tls-e", "gssocks connect --tls-bindings=tls-exporter "],
    ["gssocks connect --prox", "gssocks connect --proxy="],
    ["gssocks serve --config tscon", "gssocks serve --config tsconfig.json "],
    ["gssocks check tscon", "gssocks check tsconfig.json "],
    ["gssocks connect tscon", "gssocks connect tscon"],
    ["gssocks explain --command u", "gssocks explain --command udp-associate "],
    ...COMMANDS.map((each): [string, string] => [`gssocks ${each}`, `gssocks ${each} `]),
    ...COMMANDS.map((each): [string, string] => [`gssocks ${each} --hel`, `gssocks ${each} --help `]).filter(
      ([typed]) => !typed.includes(" help "),
    ),
  ];
  const args = ["-f", "-c", ZSH, "zsh", `${COMPLETIONS}_gssocks`, ...table.map(([typed]) => typed)];
  const lines = (await output("zsh", args)).trimEnd().split("\n");
  const found = lines.map((line) => line.replace(/\s+$/, ""));
  assert.deepEqual(
    found,
    table.map(([, becomes]) => becomes.replace(/\s+$/, "")),
  );
  // A word is at its end, not a candidate among others: the space after it.
  assert.equal(lines[0], "gssocks connect ");
});
