import { existsSync } from "node:fs";
import path from "node:path";

/** Where a program is, if it is installed. */
export function installed(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file));
}
