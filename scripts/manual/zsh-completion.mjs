// Completion for zsh, by its _arguments.
import { kindOf } from "./command-line.mjs";

export function zshCompletion(root) {
  return `#compdef gssocks
# zsh completion for gssocks; made of the command line itself
${functionsOf(root)}
if [[ $funcstack[1] == _gssocks ]]; then _gssocks "$@"; else compdef _gssocks gssocks; fi
`;
}

function functionsOf(command) {
  const { path, options, arguments: operands, commands } = command;
  const name = `_${path.join("_")}`;
  const given = [...options.flatMap(optionSpecs), ...operands.map(operandSpec)];
  if (commands.length === 0) return `\n${name}() {\n  _arguments -s ${lines(given)}\n}`;
  const described = commands.map(({ path, summary }) => quoted(`${path.at(-1)}:${summary}`));
  const cases = commands.map(({ path }) => `      ${path.at(-1)}) _${path.join("_")} ;;`);
  return `
${name}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C ${lines([...given, "'1: :->command'", "'*:: :->arguments'"])}
  case $state in
    command)
      local -a commands=(${["", ...described, quoted("help:display help for a command")].join("\n        ")}
      )
      _describe command commands
      ;;
    arguments)
      curcontext=\${curcontext%:*:*}:${path.join("-")}-$words[1]:
      case $words[1] in
${cases.map((each) => `  ${each}`).join("\n")}
      esac
      ;;
  esac
}
${commands.map(functionsOf).join("\n")}`;
}

const lines = (specs) => ["", ...specs].join(" \\\n    ");
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const escaped = (text) => text.replaceAll(/[\\[\]:]/g, "\\$&");

function action(each) {
  const kind = kindOf(each);
  if (kind === "choices") return `(${each.choices.join(" ")})`;
  // Whatever it is, but no option.
  return kind === "file" ? "_files" : `_guard "^-*" ${each.name ?? "value"}`;
}

function optionSpecs(option) {
  const { long, short, value, repeatable, description } = option;
  const names = [short, long].filter((each) => each !== undefined);
  const exclusive = repeatable ? "*" : `(${names.join(" ")})`;
  const rest =
    value === undefined ? "" : `:${escaped(value.replace(/^[<[]|(\.\.\.)?[>\]]$/g, ""))}:${action(option)}`;
  return names.map((name) => {
    const joined = value !== undefined && name.startsWith("--") ? `${name}=` : name;
    return quoted(`${exclusive}${joined}[${escaped(description)}]${rest}`);
  });
}

function operandSpec(operand) {
  const { name, required, variadic } = operand;
  const head = variadic ? "*:" : required ? ":" : "::";
  return quoted(`${head}${escaped(name)}:${action(operand)}`);
}
