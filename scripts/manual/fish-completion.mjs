// Completion for fish.
import { kindOf } from "./command-line.mjs";

export function fishCompletion(root) {
  return `# fish completion for gssocks; made of the command line itself
complete -c gssocks -f
${linesOf(root, "__fish_use_subcommand").join("\n")}
`;
}

function linesOf(command, condition) {
  const { options, arguments: operands, commands, path } = command;
  const when = `complete -c gssocks -n ${quoted(condition)}`;
  const seen = (name) => {
    const own = `__fish_seen_subcommand_from ${name}`;
    return path.length === 1 ? own : `${condition}; and ${own}`;
  };
  return [
    ...options.map((option) => `${when}${optionFlags(option)}`),
    ...operands.flatMap((operand) => operandFlags(operand).map((flags) => `${when}${flags}`)),
    ...commands.map(({ path, summary }) => `${when} -a ${path.at(-1)} -d ${quoted(summary)}`),
    ...(commands.length > 0 ? [`${when} -a help -d 'display help for a command'`] : []),
    ...commands.flatMap((each) => linesOf(each, seen(each.path.at(-1)))),
  ];
}

const quoted = (text) => `'${text.replaceAll(/[\\']/g, "\\$&")}'`;

function optionFlags(option) {
  const { long, short, value, description } = option;
  return [
    ...(short === undefined ? [] : [` -s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [` -l ${long.slice(2)}`]),
    ...(value === undefined ? [] : [valueFlags(option)]),
    ` -d ${quoted(description)}`,
  ].join("");
}

function valueFlags(each) {
  const kind = kindOf(each);
  if (kind === "choices") return ` -x -a ${quoted(each.choices.join(" "))}`;
  return kind === "file" ? " -r -F" : " -x";
}

function operandFlags(operand) {
  const kind = kindOf(operand);
  if (kind === "choices") return [` -a ${quoted(operand.choices.join(" "))}`];
  return kind === "file" ? [" -F"] : [];
}
