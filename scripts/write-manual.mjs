// Writes what the command line and the schema of the configuration say of themselves: man pages to dist/man/man1, 5, 8
// and completions to dist/completions. After tsc and write-schema.mjs; needs the addon, which the commands load.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { bashCompletion } from "./manual/bash-completion.mjs";
import { commandLine } from "./manual/command-line.mjs";
import { commandPages } from "./manual/command-pages.mjs";
import { configPage } from "./manual/config-page.mjs";
import { fishCompletion } from "./manual/fish-completion.mjs";
import { zshCompletion } from "./manual/zsh-completion.mjs";

const ROOT = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

function write(path, text) {
  const file = new URL(`dist/${path}`, ROOT);
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, text);
}

// The same sources give the same pages (https://reproducible-builds.org/specs/source-date-epoch/).
const { SOURCE_DATE_EPOCH: epoch } = process.env;
const date = new Date(epoch === undefined ? Date.now() : Number(epoch) * 1000).toISOString().slice(0, 10);

for (const made of ["man", "completions"])
  rmSync(new URL(`dist/${made}`, ROOT), { recursive: true, force: true });
const root = commandLine();
const commands = commandPages(root, date);
const sample = /^```yaml\n([\s\S]*?)^```$/m.exec(read("docs/configuration.md"))[1];
const schema = JSON.parse(read("dist/gssocks.schema.json"));
const config = configPage(schema, { version: root.version, date, sample, commands });
for (const { name, section, source } of [...commands, config])
  write(`man/man${section}/${name}.${section}`, source);
write("completions/gssocks.bash", bashCompletion(root));
write("completions/_gssocks", zshCompletion(root));
write("completions/gssocks.fish", fishCompletion(root));
