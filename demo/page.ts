import { randomBytes } from "node:crypto";

/** A page that was not there before: nothing but a transfer can have brought it. */
export function makePage(): Buffer {
  const rows = Array.from({ length: 1000 }, () => `<li>${randomBytes(24).toString("base64url")}</li>`);
  return Buffer.from(
    `<!doctype html>\n<title>gssocks</title>\n<h1>It came through the proxy.</h1>\n<ol>\n${rows.join("\n")}\n</ol>\n`,
  );
}
