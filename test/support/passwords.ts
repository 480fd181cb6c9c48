import assert from "node:assert/strict";
import path from "node:path";
import { CAROL } from "./command-client.js";
import { gssocks } from "./gssocks.js";

/** A users file made by `gssocks passwd`, with carol in it. */
export async function usersFile(directory: string): Promise<string> {
  const file = path.join(directory, "users");
  const { code, stderr } = await gssocks(["passwd", file, CAROL.name], { input: CAROL.password });
  assert.equal(code, 0, stderr);
  return file;
}
