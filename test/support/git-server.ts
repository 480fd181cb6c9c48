/** git's own server over HTTPS: git-http-backend, as a web server runs it (CGI). */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { TestContext } from "node:test";
import type { Certificate } from "./certificates.js";
import { listeningServer } from "./listening-server.js";

/**
 * On 127.0.0.1 until the test ends; whoever comes may read and write.
 * @param root all repositories in it are served
 * @returns the port
 */
export async function startGitServer(
  context: TestContext,
  root: string,
  { certificate, key }: Certificate,
): Promise<number> {
  const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
  const server = createServer(tls, (request, response) => backend(root, request, response));
  return listeningServer(context, server);
}

/** RFC 3875. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? "/", "https://localhost");
  const { headers } = request;
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      REMOTE_ADDR: "127.0.0.1",
      // Without it nothing may be pushed.
      REMOTE_USER: "anybody",
    },
  });
  child.stdin.on("error", () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const readHead = (octets: Buffer) => {
    head = Buffer.concat([head, octets]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    child.stdout.off("data", readHead);
    for (const line of head.toString("latin1", 0, end).split("\r\n")) {
      const [name = "", value = ""] = line.split(/: */, 2);
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on("data", readHead);
  child.stdout.once("end", () => response.end());
}
