/**
 * `npm start`: the main job, on a realm of its own. Starts a KDC, a proxy and an origin, gets a ticket as alice, fetches a
 * page through the proxy at level confidentiality and tells what happened. It stays up until Ctrl-C, so that the same can
 * be tried by hand; with `--once` it ends, with exit status 0 only if the page came through unharmed.
 */
import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { connect, type ProxyStream } from "../src/index.js";
import { formatEndpoint } from "../src/protocol/address.js";
import { CLI, ProxyServer } from "../test/support/proxy.js";
import { Realm } from "../test/support/realm.js";
import { makePage } from "./page.js";

const PASSWORD = "alice-password";
const FETCH_CURL = fileURLToPath(new URL("../../scripts/fetch-curl.sh", import.meta.url));

const say = (text = "") => process.stdout.write(`${text}\n`);
const step = (title: string, ...lines: string[]) => {
  say(`\n${title}`);
  for (const line of lines) say(`    ${line}`);
};

async function main(): Promise<void> {
  const stopped = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => once(process, signal)));
  const cleanUp: (() => Promise<unknown>)[] = [];
  try {
    const { right, byHand } = await run(cleanUp);
    process.exitCode = right ? 0 : 1;
    if (process.argv.includes("--once")) return;
    step("Try it by hand, in another terminal", ...byHand);
    say("\nAll of this stays up until Ctrl-C.");
    await stopped;
    say("\nTaking it all down.");
  } finally {
    for (const undo of cleanUp.reverse()) await undo();
  }
}

async function run(
  cleanUp: (() => Promise<unknown>)[],
): Promise<{ right: boolean; byHand: readonly string[] }> {
  const realm = await Realm.start();
  cleanUp.push(() => realm.stop());
  step("A realm of its own", `${realm.name}, KDC on 127.0.0.1:${realm.kdcPort}, everything in ${realm.dir}`);

  const page = makePage();
  const origin = await startOrigin(page);
  cleanUp.push(async () => origin.close());
  const originPort = (origin.address() as AddressInfo).port;
  step("An origin", `http://127.0.0.1:${originPort}/ serves a page of ${page.length} octets`);

  const proxy = await ProxyServer.start(realm, {
    listeners: [
      { address: "127.0.0.1:0" },
      // curl can't seal: it needs a listener that answers "none" to everything.
      { address: "127.0.0.1:0", gssapi: { protectionLevels: ["none"] } },
    ],
    // Ctrl-C ends what is still open.
    timeouts: { drain: "0s" },
  });
  cleanUp.push(() => proxy.stop());
  step(
    "A proxy: gssocks serve",
    `127.0.0.1:${proxy.port} takes the levels confidentiality and integrity`,
    `127.0.0.1:${proxy.ports[1]} takes the level none, for curl`,
  );

  realm.enter(await realm.kinit("alice", { password: PASSWORD }));
  step("A ticket: kinit alice", `alice@${realm.name}, in ${realm.env.KRB5CCNAME}`);

  const stream = await connect({
    proxy: { host: "localhost", port: proxy.port },
    destination: { host: "127.0.0.1", port: originPort },
  });
  const received = await fetchPage(stream, originPort);
  const right = received.equals(page);
  await tellSession(proxy, stream, received, right);
  return { right, byHand: linesByHand(realm, proxy, originPort) };
}

async function startOrigin(page: Buffer): Promise<Server> {
  const origin = createServer((_request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8").end(page);
  });
  origin.listen(0, "127.0.0.1");
  await once(origin, "listening");
  return origin;
}

async function fetchPage(stream: ProxyStream, port: number): Promise<Buffer> {
  const request = get({
    host: "127.0.0.1",
    port,
    headers: { connection: "close" },
    createConnection: () => stream,
  });
  const [response] = await once(request, "response");
  return Buffer.concat(await response.toArray());
}

/** The server's side of the story comes from its log, the client's from its own session. */
async function tellSession(
  proxy: ProxyServer,
  stream: ProxyStream,
  page: Buffer,
  right: boolean,
): Promise<void> {
  const { initiator, acceptor, mechanism, level, bnd } = stream.session;
  const audit = await proxy.audit();
  const methods = await proxy.waitForLog((line) => line.msg === "method selected");
  const hex = (octet: unknown) => `0x${Number(octet).toString(16).padStart(2, "0")}`;
  step(
    "The page, through the proxy",
    `methods offered      ${(methods.offered as number[]).map(hex).join(" ")}, selected ${hex(methods.selected)} (GSS-API)`,
    `mechanism            ${mechanism}`,
    `initiator (client)   ${initiator}`,
    `acceptor (proxy)     ${acceptor}`,
    `protection level     ${level}`,
    `destination          ${audit.destination}, allowed by rule ${audit.rule}, reached from ${formatEndpoint(bnd)}`,
    `carried              ${audit.bytesUp} octets up, ${audit.bytesDown} down`,
    `sealed, on the wire  ${audit.sealedUp} octets up, ${audit.sealedDown} down`,
    `the page             ${page.length} octets, ${right ? "the same as at the origin" : "NOT THE SAME as at the origin"}`,
  );
}

/** Lines for the shell of another terminal. */
function linesByHand(realm: Realm, proxy: ProxyServer, originPort: number): string[] {
  const { KRB5_CONFIG, KRB5CCNAME } = realm.env;
  const gssocks = `${quote(process.execPath)} ${quote(CLI)}`;
  // ssh reads % itself.
  const proxyCommand = `${gssocks.replaceAll("%", "%%")} connect %h %p --proxy ${proxy.address}`;
  return [
    `export KRB5_CONFIG=${quote(`${KRB5_CONFIG}`)} KRB5CCNAME=${quote(`${KRB5CCNAME}.by-hand`)}`,
    `gssocks() { ${gssocks} "$@"; }`,
    `kinit alice          # the password is ${PASSWORD}`,
    `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | gssocks connect 127.0.0.1 ${originPort} --proxy ${proxy.address}`,
    `ssh -o ${quote(`ProxyCommand=${proxyCommand}`)} localhost          # where an sshd runs`,
    `curl=$(${quote(FETCH_CURL)})          # version 8.20 or newer; Debian 12's and 13's cannot do it`,
    `"$curl" --socks5-hostname localhost:${proxy.ports[1]} --socks5-gssapi http://127.0.0.1:${originPort}/`,
  ];
}

/** One word for the shell, whatever is in it. */
function quote(text: string): string {
  return /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

await main();
