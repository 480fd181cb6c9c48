// The control socket: its mode and its directory, what it answers, and what garbage, stalling programs and those that leave
// come to.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { askServer } from "../../../src/control/control-client.js";
import { MAX_REQUEST } from "../../../src/control/control-message.js";
import { type Controlled, ControlSocket } from "../../../src/control/control-socket.js";
import { NetworkError, PolicyError } from "../../../src/errors.js";
import type { SessionInfo } from "../../../src/server/session-info.js";
import { deferred } from "../../support/deferred.js";
import { scratch } from "../../support/identd.js";

const OUTCOME = { added: [], removed: ["127.0.0.1:1080"], ended: 3 };

function info(session: string, principal: string | null): SessionInfo {
  return { session, principal } as SessionInfo;
}

async function opened(t: TestContext, controlled: Partial<Controlled> = {}, timeout?: number) {
  const socket = path.join(await scratch(t), "control");
  const control = await ControlSocket.open(
    socket,
    {
      reload: async () => OUTCOME,
      sessions: async () => [info("1", "alice@A.TEST"), info("2", null), info("3", "bob@A.TEST")],
      upstreams: async () => [],
      kill: async (ids) => ids.filter((id) => id !== "9"),
      ended: { sessions: 0, bytesUp: 0, bytesDown: 0 },
      ...controlled,
    },
    timeout,
  );
  t.after(() => control.close());
  return { socket, control };
}

function dial(t: TestContext, path: string): Socket {
  const socket = connect({ path, allowHalfOpen: true }).on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** Every line of the answer, parsed. */
async function say(t: TestContext, path: string, octets: string | Buffer, end = false): Promise<unknown[]> {
  const socket = dial(t, path);
  if (end) socket.end(octets);
  else socket.write(octets);
  const text = Buffer.concat(await socket.toArray()).toString();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

const refused = (code: string, error: string) => [{ v: 1, ok: false, code, error }];

test("only its owner may ask, and it is gone when closed", async (t) => {
  const { socket, control } = await opened(t);
  assert.equal(statSync(socket).mode & 0o7777, 0o600);
  control.close();
  assert.equal(existsSync(socket), false);
});

test("where others could put another one in its place it is not made", async (t) => {
  const dir = path.join(await scratch(t), "open");
  mkdirSync(dir);
  for (const mode of [0o777, 0o1777, 0o775]) {
    chmodSync(dir, mode);
    const shown = mode.toString(8).padStart(4, "0");
    await assert.rejects(
      ControlSocket.open(path.join(dir, "control"), {} as Controlled),
      (error: Error) =>
        error instanceof NetworkError &&
        error.message.startsWith(`no control socket in ${dir}: others may write there (mode ${shown};`),
    );
    assert.equal(existsSync(path.join(dir, "control")), false);
  }
  await assert.rejects(
    ControlSocket.open(path.join(dir, "none", "control"), {} as Controlled),
    /: there is no such directory/,
  );
});

test("one in use is not taken from its owner", async (t) => {
  const { socket } = await opened(t);
  await assert.rejects(
    ControlSocket.open(socket, {} as Controlled),
    /EADDRINUSE \(another program listens there/,
  );
  assert.deepEqual((await askServer(socket, { ask: "reload" })).reload, OUTCOME);
});

test("what is asked is answered", async (t) => {
  const { socket } = await opened(t);
  const [one, two, three] = [info("1", "alice@A.TEST"), info("2", null), info("3", "bob@A.TEST")];
  const sessions = await say(t, socket, '{"v":1,"ask":"sessions"}\n');
  assert.deepEqual(sessions.slice(0, 3), [{ session: one }, { session: two }, { session: three }]);
  assert.ok((sessions[3] as { time: number }).time > 0);
  // A client that has half-closed is answered too.
  const some = await say(t, socket, '{"v":1,"ask":"sessions","user":"b*@A.TEST"}\n', true);
  assert.deepEqual(some.slice(0, -1), [{ session: three }]);
  assert.deepEqual(await say(t, socket, '{"v":1,"ask":"kill","sessions":["1","9"]}\n'), [
    { ended: "1" },
    { v: 1, ok: true },
  ]);
  assert.deepEqual(await say(t, socket, '{"v":1,"ask":"kill","user":"bob@A.TEST"}\n'), [
    { ended: "3" },
    { v: 1, ok: true },
  ]);
  assert.deepEqual(await say(t, socket, '{"v":1,"ask":"reload"}\n'), [{ v: 1, ok: true, reload: OUTCOME }]);
});

test("octet by octet, and with more behind it", async (t) => {
  const { socket } = await opened(t);
  const client = dial(t, socket);
  for (const octet of Buffer.from('{"v":1,"ask":"reload"}')) client.write(Buffer.of(octet));
  client.write("\n");
  client.write('{"v":1,"ask":"kill","user":"bob@A.TEST"}\n'.repeat(1000));
  const text = Buffer.concat(await client.toArray()).toString();
  assert.deepEqual(JSON.parse(text), { v: 1, ok: true, reload: OUTCOME });
});

test("what is no request is told so", async (t) => {
  const { socket } = await opened(t);
  const bad = (error: string) => refused("CONTROL_REQUEST", error);
  for (const [line, answer] of [
    ["", bad("not JSON")],
    ["[1]", bad("not a JSON object")],
    ["null", bad("not a JSON object")],
    ["{}", refused("CONTROL_VERSION", "this server speaks version 1, not missing")],
    ['{"v":2,"ask":"reload"}', refused("CONTROL_VERSION", "this server speaks version 1, not 2")],
    ['{"v":1}', bad("unknown request missing; expected reload, sessions, upstreams or kill")],
    ['{"v":1,"ask":"stop"}', bad('unknown request "stop"; expected reload, sessions, upstreams or kill')],
    ['{"v":1,"ask":"sessions","user":1}', bad("user is 1, no text")],
    ['{"v":1,"ask":"kill"}', bad("kill takes either sessions or user")],
    ['{"v":1,"ask":"kill","user":"a","sessions":[]}', bad("kill takes either sessions or user")],
    ['{"v":1,"ask":"kill","sessions":"1"}', bad("sessions is no list of ids")],
    ['{"v":1,"ask":"kill","sessions":[1]}', bad("sessions is no list of ids")],
    ["[".repeat(60_000), bad("not JSON")],
  ] as const) {
    assert.deepEqual(await say(t, socket, `${line}\n`), answer, line.slice(0, 80));
  }
  const random = Buffer.alloc(1000, 0xff);
  assert.deepEqual(await say(t, socket, Buffer.concat([random, Buffer.from("\n")])), bad("not JSON"));
  assert.deepEqual(await say(t, socket, '{"v":1,"ask":"reload"}', true), bad("no whole line"));
});

test("a line that does not end is not waited for, nor kept", async (t) => {
  const { socket } = await opened(t);
  const long = Buffer.alloc(MAX_REQUEST + 1, "x");
  assert.deepEqual(
    await say(t, socket, long),
    refused("CONTROL_REQUEST", `a line of more than ${MAX_REQUEST} octets`),
  );
  const { socket: hasty } = await opened(t, {}, 50);
  assert.deepEqual(await say(t, hasty, '{"v":1,'), refused("CONTROL_REQUEST", "no whole line within 0.05 s"));
  assert.deepEqual(await say(t, hasty, ""), refused("CONTROL_REQUEST", "no whole line within 0.05 s"));
});

test("one that does not read holds nobody up, and is let go", async (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => info(`${index}`, "x".repeat(200)));
  // On a busy machine who reads may not be heard for a while: the time is for both.
  const { socket } = await opened(t, { sessions: async () => many }, 5000);
  const stalling = dial(t, socket);
  stalling.write('{"v":1,"ask":"sessions"}\n');
  await once(stalling, "connect");
  let read = 0;
  await askServer(socket, { ask: "sessions" }, () => {
    read += 1;
  });
  assert.equal(read, many.length);
  // It has read nothing, and more than the kernel keeps was to be said.
  const knocking = setInterval(() => stalling.write("\n"), 50);
  t.after(() => clearInterval(knocking));
  const [error] = (await once(stalling, "error")) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /^(?:EPIPE|ECONNRESET)$/);
});

test("no more than so many at once", async (t) => {
  const { socket } = await opened(t);
  const waiting = Array.from({ length: 64 }, () => dial(t, socket));
  await Promise.all(waiting.map((each) => once(each, "connect")));
  await assert.rejects(askServer(socket, { ask: "reload" }), { code: "CONTROL_LOST" });
  waiting[0]?.destroy();
  for (;;) {
    const answer = await askServer(socket, { ask: "reload" }).catch(() => null);
    if (answer !== null) break;
  }
});

test("one that leaves while it is answered is no trouble; what it asked for is done", async (t) => {
  const [asked, answer] = [deferred<void>(), deferred<typeof OUTCOME>()];
  const { socket } = await opened(t, {
    reload: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const client = dial(t, socket);
  client.write('{"v":1,"ask":"reload"}\n');
  await asked.promise;
  client.destroy();
  answer.resolve(OUTCOME);
  assert.equal((await say(t, socket, '{"v":1,"ask":"kill","sessions":["1"]}\n')).length, 2);
});

test("a refusal has the server's own code", async (t) => {
  const { socket } = await opened(t, {
    reload: async () => {
      throw new PolicyError("RESTART_NEEDED", "a restart is needed");
    },
    sessions: async () => {
      throw new Error("a bug");
    },
  });
  await assert.rejects(askServer(socket, { ask: "reload" }), {
    code: "RESTART_NEEDED",
    message: "a restart is needed",
  });
  await assert.rejects(askServer(socket, { ask: "sessions" }), {
    code: "INTERNAL",
    message: "internal error: a bug",
  });
});

test("a client is told of a server that is not there, or is another", async (t) => {
  const dir = await scratch(t);
  await assert.rejects(askServer(path.join(dir, "none"), { ask: "reload" }), { code: "NO_SERVER" });
  await assert.rejects(
    askServer(path.join(dir, "none"), { ask: "kill", sessions: Array(10_000).fill("0123456789abcdef") }),
    /the request has more than 65536 octets/,
  );
  let answers = "";
  const other = createServer((socket) => socket.on("error", () => {}).end(answers)).listen(
    path.join(dir, "other"),
  );
  await once(other, "listening");
  t.after(() => other.close());
  for (const [text, code] of [
    ["", "CONTROL_LOST"],
    ['{"session":{}}\n{"v":1,"o', "CONTROL_LOST"],
    ['{"v":2,"ok":true}\n', "CONTROL_VERSION"],
    ["hello\n", "CONTROL_REQUEST"],
    ["x".repeat(2 << 20), "CONTROL_ANSWER"],
  ] as const) {
    answers = text;
    await assert.rejects(askServer(path.join(dir, "other"), { ask: "reload" }), { code }, text.slice(0, 40));
  }
});
