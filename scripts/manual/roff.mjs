// Text to the source of a man page, man(7), by what both groff and mandoc take without a warning.

const SPECIAL = { "\\": "\\e", "§": "\\(sc", "…": "\\&...", "’": "'", "–": "\\(en", "→": "\\(->" };

/** Text as it is: nothing in it means anything to roff. */
export function plain(text) {
  return text.replace(/[\\§…’–→]/g, (each) => SPECIAL[each]).replace(/^(?=[.'])/gm, "\\&");
}

/** What is to be typed as it stands there: its hyphens are no typographer's. */
export function literal(text) {
  return plain(text).replaceAll("-", "\\-");
}

export const bold = (text) => `\\fB${literal(text)}\\fR`;
export const italic = (text) => `\\fI${literal(text)}\\fR`;

/** Prose: `in backquotes` is bold; a line is no longer than 78 and a sentence begins one. */
export function prose(text) {
  const marked = text
    .trim()
    .split(/`([^`]+)`/)
    .map((part, index) =>
      index % 2 === 0 ? plain(part).replace(/(?<=^|\s)--?(?=\w)/g, "\\-\\-") : bold(part),
    )
    .join("");
  return marked
    .split(/\s*\n\s*|(?<=[^.][.!?]) (?=[A-Z[\\])/)
    .flatMap((sentence) => wrapped(sentence))
    .map((line) => line.replace(/^(?=[.'])/, "\\&"))
    .join("\n");
}

function wrapped(text) {
  const lines = [];
  for (const word of text.split(/ +/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > 78) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Several paragraphs; one with an indented line is shown as it is. */
export function paragraphs(text) {
  return text
    .split(/\n\s*\n/)
    .filter((each) => each.trim() !== "")
    .map((each) => (/^ /m.test(each) ? example(each) : prose(each)))
    .join("\n.PP\n");
}

export const example = (text) => `.nf\n${literal(text.replace(/\s+$/, ""))}\n.fi`;

/** A page: its name, section, a line on what it is, and sections as [heading, source]. */
export function page({ name, section, about, version, date, sections }) {
  const shown = sections.filter(([, source]) => source !== "");
  return [
    `.TH ${literal(name.toUpperCase())} ${section} ${date} "gssocks ${version}" "gssocks"`,
    ".SH NAME",
    `${literal(name)} \\- ${plain(about)}`,
    ...shown.flatMap(([heading, source]) => [`.SH ${heading}`, source]),
    "",
  ].join("\n");
}
