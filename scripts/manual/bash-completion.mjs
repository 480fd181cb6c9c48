// Completion for bash, without the package bash-completion.
import { kindOf } from "./command-line.mjs";

export function bashCompletion(root) {
  return `# bash completion for gssocks; made of the command line itself
_gssocks()
{
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path=gssocks option="" place=0 at word
  COMPREPLY=()
  # --option=value and host:port come as three words.
  if [[ $cur == = ]]; then cur="" option=$prev
  elif [[ $prev == = ]]; then option=\${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $prev == -* ]]; then option=$prev
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case "$path $word" in
${allBelow(root)
  .map(({ path }) => `      ${quoted(path.join(" "))}) path+=" $word" place=0 ;;`)
  .join("\n")}
      *" "-* | *" =" | *" :") ;;
      *) [[ \${COMP_WORDS[at-1]} == [=:] ]] || _gssocks_takes "$path" "\${COMP_WORDS[at-1]}" || place=$((place + 1)) ;;
    esac
  done
  local words="" kind=""
  _gssocks_value "$path" "$option"
  if [[ -z $kind && $cur == -* ]]; then
    _gssocks_options "$path"
  elif [[ -z $kind ]]; then
    _gssocks_operand "$path" "$place"
  fi
  case $kind in
    file) compopt -o default 2>/dev/null; [[ -n \${COMP_TYPE-} ]] || COMPREPLY=($(compgen -f -- "$cur")) ;;
    words) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
  esac
}

# Whether an option is followed by a value.
_gssocks_takes()
{
  local kind="" words=""
  _gssocks_value "$1" "$2"
  [[ -n $kind ]]
}

_gssocks_value()
{
  case "$1 $2" in
${all(root).flatMap(optionCases).join("\n")}
  esac
}

_gssocks_options()
{
  kind=words
  case $1 in
${all(root).map(optionsCase).join("\n")}
  esac
}

_gssocks_operand()
{
  case "$1 $2" in
${all(root).flatMap(operandCases).join("\n")}
  esac
}

complete -F _gssocks gssocks
`;
}

function all(command) {
  return [command, ...allBelow(command)];
}

function allBelow({ commands }) {
  return commands.flatMap(all);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function outcome(each) {
  const kind = kindOf(each);
  return kind === "choices" ? `kind=words words=${quoted(each.choices.join(" "))}` : `kind=${kind}`;
}

function names({ long, short }) {
  return [short, long].filter((each) => each !== undefined);
}

function optionCases({ path, options }) {
  const prefix = path.join(" ");
  return options
    .filter(({ value }) => value !== undefined)
    .map((option) => {
      const patterns = names(option).map((name) => quoted(`${prefix} ${name}`));
      return `    ${patterns.join(" | ")}) ${outcome(option)} ;;`;
    });
}

function optionsCase({ path, options }) {
  return `    ${quoted(path.join(" "))}) words=${quoted(options.flatMap(names).join(" "))} ;;`;
}

function operandCases({ path, arguments: operands, commands }) {
  const prefix = path.join(" ");
  if (commands.length > 0) {
    const words = [...commands.map((each) => each.path.at(-1)), "help"].join(" ");
    return [`    ${quoted(`${prefix} 0`)}) kind=words words=${quoted(words)} ;;`];
  }
  return operands.map((each, index) => {
    const place = each.variadic ? `${quoted(`${prefix} `)}*` : quoted(`${prefix} ${index}`);
    return `    ${place}) ${outcome(each)} ;;`;
  });
}
