/** What a document of ours shows between fences. */
import { readFileSync } from "node:fs";

const ROOT = new URL("../../../", import.meta.url);

export interface Shown {
  /** Text of the `##` heading that it stands below. */
  section: string;
  /** Behind the fence; "" where there is none. */
  language: string;
  /** Without the indentation of its fence. */
  text: string;
}

/** @param file by its path from the project's root */
export function shownIn(file: string): Shown[] {
  const [, ...sections] = readFileSync(new URL(file, ROOT), "utf8").split(/^## /m);
  return sections.flatMap((text) =>
    [...text.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms)].map(
      ([, indent = "", language = "", shown = ""]) => ({
        section: text.slice(0, text.indexOf("\n")),
        language,
        text: shown.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      }),
    ),
  );
}
