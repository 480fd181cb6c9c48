/** What the Dockerfile's last stage says of how the image of gssocks is run. */
import { readFile } from "node:fs/promises";

export interface Image {
  /** As `uid:gid`. */
  user: string;
  env: Readonly<Record<string, string>>;
  /** The entry point and its arguments. */
  command: readonly string[];
}

export async function gssocksImage(): Promise<Image> {
  const text = await readFile(new URL("../../../Dockerfile", import.meta.url), "utf8");
  const stage = text.slice(text.lastIndexOf("\nFROM ")).replaceAll("\\\n", " ");
  const line = (name: string) => {
    const [, value] = new RegExp(`^${name} (.*)$`, "m").exec(stage) ?? [];
    if (value === undefined) throw new Error(`the Dockerfile's last stage has no ${name}`);
    return value;
  };
  return {
    user: line("USER"),
    env: Object.fromEntries(
      line("ENV")
        .split(" ")
        .map((each) => each.split("=") as [string, string]),
    ),
    command: [...JSON.parse(line("ENTRYPOINT")), ...JSON.parse(line("CMD"))],
  };
}
