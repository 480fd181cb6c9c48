// `docker compose run client test`: the ways through the proxy to the origin, with alice's ticket: `gssocks connect` at each
// level, curl, ssh, the library. A page must come unharmed, and there must be no other way.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { connect as connectThrough } from "gssocks";
import { connect, klist, ORIGIN, PROXY, run, ticket } from "./support.mjs";

function assertUnharmed(answer) {
  const end = answer.indexOf("\r\n\r\n");
  const head = String(answer.subarray(0, end));
  assert.match(head, /^HTTP\/1\.1 200 /);
  const [, digest] = /content-digest: sha-256=:(.*):/i.exec(head);
  const page = answer.subarray(end + 4);
  assert.ok(page.length > 40_000, `${page.length} octets`);
  assert.equal(createHash("sha256").update(page).digest("base64"), digest);
}

const GET = `GET / HTTP/1.1\r\nhost: ${ORIGIN}\r\nconnection: close\r\n\r\n`;

test("there is no other way to the origin", async () => {
  const socket = net.connect({ host: ORIGIN, port: 80, timeout: 5000 });
  const outcome = await new Promise((resolve) => {
    for (const event of ["connect", "error", "timeout"]) socket.once(event, () => resolve(event));
  });
  socket.destroy();
  assert.equal(outcome, "error");
});

for (const level of ["confidentiality", "integrity"]) {
  test(`gssocks connect, ${level}`, async (t) => {
    const env = await ticket(t, "alice");
    const { code, stdout, stderr } = await connect(80, env, { input: GET, args: ["--level", level] });
    assert.equal(code, 0, stderr);
    assertUnharmed(stdout);
    assert.match(await klist(env), new RegExp(`rcmd/${PROXY}@EXAMPLE.TEST`));
  });
}

test("10 MB to the echo and back", async (t) => {
  const octets = randomBytes(10 << 20);
  const { code, stdout, stderr } = await connect(7, await ticket(t, "alice"), { input: octets });
  assert.equal(code, 0, stderr);
  assert.ok(stdout.equals(octets));
});

test("curl at the listener of level none", async (t) => {
  const env = await ticket(t, "alice");
  const args = ["--silent", "--show-error", "--include", "--socks5-gssapi", `http://${ORIGIN}/`];
  const { code, stdout, stderr } = await run("curl", ["--socks5-hostname", `${PROXY}:1081`, ...args], {
    env,
  });
  assert.equal(code, 0, stderr);
  assertUnharmed(stdout);
  const sealed = await run("curl", ["--socks5-hostname", `${PROXY}:1080`, ...args], { env });
  assert.equal(sealed.code, 97, "a listener that wants its clients to seal has let curl in");
});

test("ssh with gssocks as its ProxyCommand, and the same ticket at the origin", async (t) => {
  const env = await ticket(t, "alice");
  const options = {
    ProxyCommand: `gssocks connect %h %p --proxy ${PROXY}:1080`,
    GSSAPIAuthentication: "yes",
    GSSAPIKeyExchange: "yes",
    PreferredAuthentications: "gssapi-keyex,gssapi-with-mic",
    StrictHostKeyChecking: "yes",
    UserKnownHostsFile: "none",
    BatchMode: "yes",
  };
  const given = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const command = "id -un; hostname; exit 42";
  const { code, stdout, stderr } = await run("ssh", ["-F", "none", ...given, `alice@${ORIGIN}`, command], {
    env,
  });
  assert.equal(code, 42, stderr);
  assert.equal(String(stdout), `alice\n${ORIGIN}\n`);
});

test("the library", async (t) => {
  const { KRB5CCNAME } = await ticket(t, "alice");
  process.env.KRB5CCNAME = KRB5CCNAME;
  const stream = await connectThrough({
    proxy: { host: PROXY, port: 1080 },
    destination: { host: ORIGIN, port: 80 },
  });
  assert.equal(stream.session.initiator, "alice@EXAMPLE.TEST");
  assert.equal(stream.session.level, "confidentiality");
  const request = http.get({
    host: ORIGIN,
    createConnection: () => stream,
    headers: { connection: "close" },
  });
  const [response] = await once(request, "response");
  const page = Buffer.concat(await response.toArray());
  assert.equal(
    response.headers["content-digest"],
    `sha-256=:${createHash("sha256").update(page).digest("base64")}:`,
  );
});
