import { Command } from "commander";
import { jsonSchema } from "../config/json-schema.js";
import { lineOf, parseConfig, pathText, readConfig } from "../config/load.js";
import { ConfigError, type ConfigProblem } from "../errors.js";
import { checkAround, type Finding } from "./checks.js";
import { print, tell } from "./output.js";

/** `gssocks check`: whether a server could run with a configuration. Exit status: 0 it could, 2 it could not. */
export function checkCommand(): Command {
  return new Command("check")
    .description("check a configuration and what it names: files, keys, addresses; runs nothing")
    .argument("[config]", "the configuration")
    .option("--schema", "print the JSON Schema of the file instead, for editors", false)
    .action(async (file: string | undefined, flags: { schema: boolean }, command: Command) => {
      if (flags.schema) return print(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      if (file === undefined) return command.error("error: missing required argument 'config'");
      await check(file);
    });
}

/** @throws ConfigError with all that is wrong */
async function check(file: string): Promise<void> {
  const source = readConfig(file);
  const findings = await checkAround(parseConfig(source, file));
  const problems = (isError: boolean) =>
    findings.filter((finding) => finding.isError === isError).map((finding) => problemOf(source, finding));
  const warnings = problems(false);
  if (warnings.length > 0) tell(`${warnings.map((each) => warningText(file, each)).join("\n")}\n`);
  const errors = problems(true);
  if (errors.length > 0) throw new ConfigError(file, errors);
  print(`${file}: ok${warnings.length === 0 ? "" : `, with warnings: ${warnings.length}`}\n`);
}

function problemOf(source: string, { path, message }: Finding): ConfigProblem {
  const line = lineOf(source, path);
  return { path: pathText(path), message, ...(line === undefined ? {} : { line }) };
}

function warningText(file: string, problem: ConfigProblem): string {
  return new ConfigError(file, [problem]).message.replace(/^/, "gssocks: warning: ");
}
