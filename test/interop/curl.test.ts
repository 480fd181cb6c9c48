/**
 * curl 8.20 or later (it authenticates, but never seals) as the client: at a listener with level none, in NEC mode; and
 * refused, with our log saying why. That curl asks for rcmd whatever --socks5-gssapi-service says (tried up to 8.22);
 * another service name is tried with python3-gssapi, in server-initiators.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { newerCurl } from "../support/newer-curl.js";
import { Origin } from "../support/origin.js";
import { type Finished, run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";

test("curl through the proxy", async (t) => {
  const curl = await newerCurl();
  const listeners = [
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["none"] } },
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["none"], nec: true } },
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["confidentiality"] } },
  ];
  const { realm, proxy } = await proxiedRealm(t, { listeners });
  const [clear, nec, sealed] = proxy.ports as [number, number, number];
  const body = randomBytes(5 << 20);
  const origin = await Origin.start((socket) => {
    socket.once("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
      socket.end(body);
    });
  });
  t.after(() => origin.stop());

  /** What is fetched goes to a file; its name is the test's to choose. */
  function fetch(
    port: number,
    output: string,
    options: string[] = ["--socks5-gssapi"],
    env = {},
    program = curl,
  ): Promise<Finished> {
    const proxyOptions = ["--proxy", `socks5h://localhost:${port}`, "--noproxy", ""];
    const url = `http://localhost:${origin.port}/`;
    const args = [
      "-sS",
      "--max-time",
      "20",
      "-o",
      path.join(realm.dir, output),
      ...proxyOptions,
      ...options,
      url,
    ];
    return runToEnd(program, args, { env: { ...realm.env, ...env } });
  }

  async function assertFetched(port: number, output: string, ...options: string[]): Promise<void> {
    const { code, stderr } = await fetch(port, output, ["--socks5-gssapi", ...options]);
    assert.equal(code, 0, stderr);
    const { stdout } = await run("sha256sum", [path.join(realm.dir, output)]);
    assert.equal(stdout.split(" ")[0], createHash("sha256").update(body).digest("hex"));
    const record = await proxy.audit(({ listener }) => listener === `127.0.0.1:${port}`);
    assert.equal(record.principal, "alice@EXAMPLE.TEST");
    assert.equal(record.destination, `localhost:${origin.port}`);
    assert.deepEqual(
      [record.level, record.outcome, record.sealedUp, record.sealedDown],
      ["none", "completed", 0, 0],
    );
    assert.ok(Number(record.bytesDown) > body.length);
  }

  await t.test("level none", () => assertFetched(clear, "none"));
  await t.test("NEC mode", () => assertFetched(nec, "nec", "--socks5-gssapi-nec"));

  /** It fails as a proxy failure (curl's status 97), and our log says why. */
  async function assertRefused(finished: Promise<Finished>, code: string, reason: RegExp): Promise<void> {
    const { code: status, stderr } = await finished;
    assert.equal(status, 97, stderr);
    const line = await proxy.waitForLog(
      (line) => line.msg === "session failed" && reason.test(String(line.reason)),
    );
    assert.equal(line.code, code);
  }

  await t.test("a listener that insists on confidentiality", () =>
    assertRefused(
      fetch(sealed, "refused"),
      "CLEAR_REQUEST",
      /level confidentiality was agreed, but .* in clear: .*protectionLevels: \[none\]/,
    ),
  );
  await t.test("NEC mode at a listener that does not allow it", () =>
    assertRefused(
      fetch(clear, "refused", ["--socks5-gssapi", "--socks5-gssapi-nec"]),
      "NEC_NOT_ALLOWED",
      /gssapi\.nec/,
    ),
  );
  await t.test("no ticket", () => {
    const env = { KRB5CCNAME: `FILE:${path.join(realm.dir, "no-ccache")}` };
    return assertRefused(
      fetch(clear, "refused", undefined, env),
      "CLOSED_EARLY",
      /closed without a message \(context establishment\)/,
    );
  });
  await t.test("no GSS-API wanted: METHOD 0x00 alone is not taken", () =>
    assertRefused(
      fetch(clear, "refused", ["--socks5-basic"]),
      "NO_ACCEPTABLE_METHOD",
      /offers the methods 0x00/,
    ),
  );
});
