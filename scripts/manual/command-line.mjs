// The command line as data: what of the commander program man pages and completions need.
import { createProgram } from "../../dist/src/cli/program.js";

/** @returns the root, as { path: ["gssocks"], …, commands } */
export function commandLine() {
  return described(createProgram(), []);
}

function described(command, above) {
  const help = command.createHelp();
  const path = [...above, command.name()];
  return {
    path,
    group: command.helpGroup(),
    description: command.description(),
    summary: command.summary() || command.description(),
    version: above.length === 0 ? command.version() : undefined,
    after: textBehindHelp(command),
    options: help.visibleOptions(command).map((option) => ({
      long: option.long,
      short: option.short,
      flags: option.flags,
      /** `<file>` of `--config <file>`; undefined where it takes none. */
      value: /[<[][^>\]]+[>\]]/.exec(option.flags)?.[0],
      mandatory: option.mandatory,
      repeatable: option.variadic,
      choices: option.argChoices,
      description: option.description,
      default: defaultOf(option),
    })),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      variadic: argument.variadic,
      choices: argument.argChoices,
      description: argument.description,
      default: defaultOf(argument),
    })),
    commands: command.commands.filter((each) => !each._hidden).map((each) => described(each, path)),
  };
}

/** As --help tells it. */
function defaultOf({ defaultValue, defaultValueDescription }) {
  if (defaultValueDescription !== undefined) return defaultValueDescription;
  return defaultValue === undefined || typeof defaultValue === "boolean" ? undefined : String(defaultValue);
}

/** What .addHelpText("after", …) has. */
function textBehindHelp(command) {
  let shown = "";
  command.configureOutput({
    writeOut: (text) => {
      shown += text;
    },
  });
  command.outputHelp();
  const help = command.helpInformation();
  return shown.slice(shown.indexOf(help) + help.length).replace(/^\n+|\s+$/g, "");
}

/** What may stand in a place: one of a list, a file, a directory, or anything. */
export function kindOf({ value, name, choices }) {
  if (choices !== undefined) return "choices";
  return /\b(file|config|path|socket|directory)\b/.test(value ?? name) ? "file" : "anything";
}
