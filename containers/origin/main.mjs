// The origin of docker-compose.yml: a page on port 80, an echo on port 7, ssh on port 22 for who has a ticket of alice's.
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import net from "node:net";

// A page that was not there before: nothing but a transfer can have brought it.
const page = Buffer.from(
  `<!doctype html>\n<title>origin</title>\n<p>It came through the proxy.</p>\n<p>${randomBytes(30000).toString("base64")}</p>\n`,
);
const digest = `sha-256=:${createHash("sha256").update(page).digest("base64")}:`;
createServer((_request, response) => {
  response
    .setHeader("content-type", "text/html; charset=utf-8")
    .setHeader("content-digest", digest)
    .end(page);
}).listen(80);

net
  .createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  })
  .listen(7);

execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "/tmp/host-key"]);
const options = {
  Port: 22,
  HostKey: "/tmp/host-key",
  // Both sides by ticket: neither a known host nor an authorized key is needed.
  GSSAPIAuthentication: "yes",
  GSSAPIKeyExchange: "yes",
  GSSAPIStrictAcceptorCheck: "no",
  AuthenticationMethods: "gssapi-keyex gssapi-with-mic",
  UsePAM: "no",
  PidFile: "none",
};
const sshd = spawn(
  "/usr/sbin/sshd",
  ["-D", "-e", "-f", "none", ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`])],
  { stdio: ["ignore", "inherit", "inherit"] },
);
sshd.once("exit", (code) => process.exit(code ?? 1));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
