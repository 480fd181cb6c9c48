/** Names are what clients, servers and DNS have sent: none of them is to do something to a terminal. */

/** What a terminal takes for more than text, or shows in another place than where it stands. */
const NO_TEXT = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** In one line. */
export function plainText(text: string): string {
  return text.replace(NO_TEXT, "?");
}

/** In as many lines as it takes, those that follow indented. @param columns undefined: in one line */
export function wrapped(text: string, columns: number | undefined): string {
  if (!columns) return text;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= columns || line === "") {
      line = longer;
      continue;
    }
    lines.push(line);
    line = `  ${word}`;
  }
  return [...lines, line].join("\n");
}

/** A line of JSON. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(NO_TEXT, escaped)}\n`;
}

function escaped(character: string): string {
  const units = character.split("").map((unit) => unit.charCodeAt(0).toString(16).padStart(4, "0"));
  return units.map((unit) => `\\u${unit}`).join("");
}
