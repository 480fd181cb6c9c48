/**
 * 200 programs at once through one `gssocks forward`: as many curls, a quarter each by SOCKS4a, SOCKS5, HTTP and CONNECT, every
 * one with octets of its own that come back only when all 200 are there.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import { forwardedRealm } from "../support/forwarded-realm.js";
import { listeningServer } from "../support/listening-server.js";
import { type Running, start } from "../support/processes.js";

const PROGRAMS = 200;
const OCTETS = 250_000;

test(`${PROGRAMS} programs at once`, async (t) => {
  const { proxy, forwarder } = await forwardedRealm(t, { config: { log: { level: "info" } } });
  const waiting: [IncomingMessage, ServerResponse][] = [];
  const server = createServer((request, response) => {
    waiting.push([request, response]);
    if (waiting.length < PROGRAMS) return;
    for (const [request, response] of waiting) request.pipe(response);
  });
  const destination = `localhost:${await listeningServer(t, server)}`;

  const at = `127.0.0.1:${forwarder.port}`;
  const ways = [["socks4a"], ["socks5h"], ["http"], ["http", "--proxytunnel"]];
  const programs: { sent: Buffer; curl: Running }[] = [];
  for (let number = 0; number < PROGRAMS; number++) {
    const [scheme, ...options] = ways[number % ways.length] as [string, ...string[]];
    const args = ["-q", "-sS", "--max-time", "90", "--noproxy", "", "-x", `${scheme}://${at}`, ...options];
    const sent = randomBytes(OCTETS);
    const post = ["-H", "Expect:", "--data-binary", "@-", `http://${destination}/`];
    programs.push({ sent, curl: await start("curl", [...args, ...post], { input: sent, test: t }) });
  }
  for (const [number, { sent, curl }] of programs.entries()) {
    assert.deepEqual(await curl.exited, { code: 0, signal: null }, `${number}: ${curl.stderr()}`);
    assert.ok(curl.stdoutBytes().equals(sent), `${number}: other octets came back`);
  }

  const sessions = new Set<unknown>();
  await proxy.audit((line) => {
    const { principal, level, bytesUp, bytesDown } = line;
    const whole = Number(bytesUp) > OCTETS && Number(bytesDown) > OCTETS;
    if (
      line.destination === destination &&
      principal === "alice@EXAMPLE.TEST" &&
      level === "confidentiality" &&
      whole
    )
      sessions.add(line.session);
    return sessions.size === PROGRAMS;
  });
});
