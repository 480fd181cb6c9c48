// The Unix socket of the serving process: who may open it, what becomes of a left-over one, and what it answers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { IdentdSocket } from "../../../src/server/identd-socket.js";
import { OutgoingConnections, type Owner } from "../../../src/server/outgoing.js";
import { scratch } from "../../support/identd.js";
import { start } from "../../support/processes.js";

const LOCAL = { address: "192.0.2.1", port: 6193 };
const REMOTE = { address: "2001:db8::7", port: 23 };

async function opened(t: TestContext, answer: "user" | "token" = "user") {
  const socket = path.join(await scratch(t), "identd.sock");
  const outgoing = new OutgoingConnections();
  const identd = await IdentdSocket.open({ socket, answer }, async (local, remote) =>
    outgoing.find(local, remote),
  );
  t.after(() => identd.close());
  return { socket, outgoing, identd };
}

/** What comes back, to the end. */
async function ask(socket: string, octets: string | Buffer): Promise<string> {
  const asking = connect({ path: socket, allowHalfOpen: true });
  asking.on("error", () => {}).write(octets);
  const answer: Buffer[] = await asking.toArray().catch(() => []);
  asking.destroy();
  return Buffer.concat(answer).toString();
}

const open = (socket: string) => IdentdSocket.open({ socket, answer: "user" }, async () => null);

async function answerFor(t: TestContext, owner: Owner, answer: "user" | "token"): Promise<string> {
  const { socket, outgoing } = await opened(t, answer);
  outgoing.add(LOCAL, REMOTE, owner);
  const line = await ask(socket, "6193,23:192.0.2.1,2001:db8::7\n");
  assert.match(line, /^6193,23:.*\r\n$/);
  return line.slice("6193,23:".length, -2);
}

test("only its owner may ask, and it is gone when closed", async (t) => {
  const { socket, identd } = await opened(t);
  assert.equal(statSync(socket).mode & 0o7777, 0o600);
  assert.notEqual(process.umask(), 0o177);
  identd.close();
  assert.equal(existsSync(socket), false);
});

test("one that a killed process left behind is replaced; one that is in use, or is no socket, is not", async (t) => {
  const dir = await scratch(t);
  const left = path.join(dir, "left.sock");
  const owner = await start(process.execPath, [
    "-e",
    `require("net").createServer().listen(${JSON.stringify(left)}, () => console.log("listens"))`,
  ]);
  t.after(() => owner.stop());
  await owner.waitForLine(/^listens$/);
  await assert.rejects(
    open(left),
    refusal(`can't listen on ${left}: EADDRINUSE (another program listens there`),
  );
  await owner.stop("SIGKILL");
  assert.ok(existsSync(left));
  const identd = await open(left);
  t.after(() => identd.close());
  assert.equal(await ask(left, "1,2:::1,::1\n"), "1,2:ERROR:NO-USER\r\n");

  const file = path.join(dir, "file");
  writeFileSync(file, "precious");
  const link = path.join(dir, "link");
  symlinkSync(left, link);
  for (const each of [file, link, dir])
    await assert.rejects(open(each), refusal(`can't listen on ${each}: EADDRINUSE`));
  assert.ok(existsSync(file));
  const nowhere = path.join(dir, "no", "identd.sock");
  await assert.rejects(open(nowhere), refusal(`can't listen on ${nowhere}: `));
});

function refusal(message: string) {
  return (error: unknown) => {
    assert.ok(error instanceof NetworkError && error.code === "CANNOT_LISTEN", String(error));
    assert.ok(error.message.startsWith(message), error.message);
    return true;
  };
}

test("a user is told without the realm, as UNIX where it is a user name, within 512 octets of printable text", async (t) => {
  const table: [user: string | null, result: string][] = [
    ["alice@EXAMPLE.TEST", "USERID:UNIX:alice"],
    ["alice", "USERID:UNIX:alice"],
    ["host/web.example.test@EXAMPLE.TEST", "USERID:UNIX:host/web.example.test"],
    ["a\\@b@EXAMPLE.TEST", "USERID:UNIX:a\\@b"],
    ["@EXAMPLE.TEST", "USERID:UNIX:@EXAMPLE.TEST"],
    ["Alice Smith@EXAMPLE.TEST", "USERID:OTHER:Alice Smith"],
    ["jürgen@EXAMPLE.TEST", "USERID:UNIX,UTF-8:jürgen"],
    ["a\r\n1,2:USERID:UNIX:root\u202e@R", "USERID:UNIX:a??1,2:USERID:UNIX:root?"],
    [`${"x".repeat(600)}@R`, `USERID:UNIX:${"x".repeat(512)}`],
    [`x${"ü".repeat(300)}@R`, `USERID:UNIX,UTF-8:x${"ü".repeat(255)}`],
    [null, "ERROR:HIDDEN-USER"],
    ["", "ERROR:HIDDEN-USER"],
  ];
  for (const [user, result] of table)
    assert.equal(await answerFor(t, { session: "s", user }, "user"), result, String(user));
});

test("a token stands for everybody, those without a name too", async (t) => {
  for (const user of ["alice@EXAMPLE.TEST", null])
    assert.equal(
      await answerFor(t, { session: "0123456789abcdef", user }, "token"),
      "USERID:OTHER:0123456789abcdef",
    );
});

test("octet by octet; and what is no query gets no answer", async (t) => {
  const { socket, outgoing } = await opened(t);
  outgoing.add(LOCAL, REMOTE, { session: "s", user: "alice" });
  const slow = connect({ path: socket });
  for (const octet of "6193,23:192.0.2.1,2001:db8::7\n") await new Promise((sent) => slow.write(octet, sent));
  assert.equal(Buffer.concat(await slow.toArray()).toString(), "6193,23:USERID:UNIX:alice\r\n");
  for (const octets of [
    "6193,23\n",
    "x".repeat(1000),
    "x".repeat(100_000),
    "\0\n",
    Buffer.alloc(65536, "\n"),
  ])
    assert.equal(await ask(socket, octets), "");
});

test("closing ends what is open", async (t) => {
  const { socket, identd } = await opened(t);
  const idle = connect({ path: socket });
  await once(idle, "connect");
  // Answered, so the connection before it was accepted too.
  await ask(socket, "1,2:::1,::1\n");
  const closed = once(idle.resume(), "close");
  identd.close();
  await closed;
});
