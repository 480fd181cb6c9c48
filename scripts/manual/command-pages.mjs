// Man pages of the command and its subcommands: gssocks(1), gssocks-connect(1), gssocks-serve(8) …
import { ADMINISTRATION } from "../../dist/src/cli/program.js";
import { bold, italic, page, paragraphs, prose } from "./roff.mjs";

const EXIT_STATUS = /^Exit status: */m;

/** @returns [{ name, section, source }] */
export function commandPages(root, date) {
  const { version } = root;
  const common = exitStatusOf(root);
  const all = [root, ...below(root)];
  const others = [...all.map(pageReference), `${bold("gssocks.yaml")}(5)`].sort(bySection);
  return all.map((command) => {
    const name = pageName(command);
    const section = sectionOf(command);
    const sections = [
      ["SYNOPSIS", synopsis(command)],
      ["DESCRIPTION", paragraphs(sentence(command.description))],
      ["COMMANDS", command.commands.map(commandEntry).join("\n")],
      ["ARGUMENTS", command.arguments.map(argumentEntry).join("\n")],
      ["OPTIONS", command.options.map(optionEntry).join("\n")],
      ["NOTES", paragraphs(command.after.split(EXIT_STATUS)[0])],
      ["EXIT STATUS", prose(sentence(exitStatusOf(command) ?? common))],
      ["SEE ALSO", others.filter((each) => each !== pageReference(command)).join(",\n")],
    ];
    const about = command.summary.split(/[;:]/)[0].replace(/^A /, "a ");
    return { name, section, source: page({ name, section, about, version, date, sections }) };
  });
}

function below({ commands }) {
  return commands.flatMap((each) => [each, ...below(each)]);
}

const pageName = ({ path }) => path.join("-");
const sectionOf = ({ group }) => (group === ADMINISTRATION ? 8 : 1);

function exitStatusOf({ after }) {
  return after.split(EXIT_STATUS)[1]?.split("\n\n")[0];
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function synopsis({ path, options, arguments: operands, commands }) {
  const mandatory = options.filter((each) => each.mandatory);
  const words = [
    bold(path.join(" ")),
    ...mandatory.map(({ long, value }) => `${bold(long)} ${italic(bare(value))}`),
    ...(options.length > mandatory.length ? [`[${italic("options")}]`] : []),
    ...operands.map(operandText),
    ...(commands.length > 0 ? [italic("command")] : []),
  ];
  return words.join("\n");
}

function operandText({ name, required, variadic }) {
  const text = `${italic(name)}${variadic ? " ..." : ""}`;
  return required ? text : `[${text}]`;
}

const bare = (value) => value.replace(/^[<[]|(\.\.\.)?[>\]]$/g, "");

function entry(head, text) {
  return `.TP\n${head}\n${text}`;
}

function commandEntry(command) {
  return entry(pageReference(command), prose(sentence(command.summary)));
}

const pageReference = (command) => `${bold(pageName(command))}(${sectionOf(command)})`;

function bySection(one, other) {
  const key = (reference) => `${reference.slice(-2)} ${reference}`;
  return key(one) < key(other) ? -1 : 1;
}

function argumentEntry(argument) {
  return entry(operandText(argument), withDetails(argument));
}

function optionEntry(option) {
  const names = [option.short, option.long].filter((each) => each !== undefined).map(bold);
  const value = option.value === undefined ? "" : ` ${italic(bare(option.value))}`;
  const more = option.repeatable ? " ..." : "";
  return entry(`${names.join(", ")}${value}${more}`, withDetails(option));
}

function withDetails({ description, choices, default: standard, mandatory }) {
  const details = [
    sentence(description),
    ...(choices === undefined ? [] : [`One of ${choices.map((each) => `\`${each}\``).join(", ")}.`]),
    ...(standard === undefined ? [] : [`By default \`${standard}\`.`]),
    ...(mandatory ? ["Required."] : []),
  ];
  return prose(details.join(" "));
}
