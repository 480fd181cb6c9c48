/**
 * TLS tunnels that others wrote, stunnel and socat, in front of SOCKS clients that know no TLS (nc, ncat, curl): TLS 1.2
 * and 1.3, half-close, a user's certificate that the tunnel shows, an authority that is not the proxy's.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { Certificate } from "../support/certificates.js";
import { PASSWORD, USER } from "../support/plain-proxy.js";
import { type Running, runToEnd, start } from "../support/processes.js";
import { SUBJECT, tlsProxy } from "../support/tls-proxy.js";

type Version = "TLSv1.2" | "TLSv1.3";

interface Tunnel {
  /** Where the client connects to. */
  port: number;
  process: Running;
}

interface TunnelOptions {
  dir: string;
  /** The proxy's. */
  port: number;
  authority: Certificate;
  version: Version;
  client: Certificate | null;
}

async function stunnel({ dir, port, authority, version, client }: TunnelOptions): Promise<Tunnel> {
  const file = path.join(dir, "stunnel.conf");
  const lines = [
    "foreground = yes",
    "pid =",
    "syslog = no",
    "debug = info",
    "[socks]",
    "client = yes",
    "accept = 127.0.0.1:0",
    `connect = 127.0.0.1:${port}`,
    `sslVersion = ${version}`,
    `CAfile = ${authority.certificate}`,
    "verifyChain = yes",
    "checkHost = localhost",
    ...(client === null ? [] : [`cert = ${client.certificate}`, `key = ${client.key}`]),
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const process = await start("stunnel4", [file]);
  const [, bound] = await process.waitForLine(/Service \[socks\] .*bound to 127\.0\.0\.1:(\d+)/);
  return { port: Number(bound), process };
}

async function socat({ port, authority, version, client }: TunnelOptions): Promise<Tunnel> {
  const number = version.replace("v", "");
  const options = [
    `OPENSSL:127.0.0.1:${port}`,
    `cafile=${authority.certificate}`,
    "verify=1",
    "commonname=localhost",
    `openssl-min-proto-version=${number}`,
    `openssl-max-proto-version=${number}`,
    ...(client === null ? [] : [`certificate=${client.certificate}`, `key=${client.key}`]),
  ];
  const process = await start("socat", [
    "-d",
    "-d",
    "-t",
    "20",
    "TCP-LISTEN:0,bind=127.0.0.1,fork",
    options.join(","),
  ]);
  const [, bound] = await process.waitForLine(/listening on AF=2 127\.0\.0\.1:(\d+)/);
  return { port: Number(bound), process };
}

for (const tunnel of [stunnel, socat]) {
  test(`SOCKS through ${tunnel.name}`, async (t) => {
    const { proxy, authority, stranger, client, ...ports } = await tlsProxy(t);

    async function tunnelTo(port: number, options: Partial<TunnelOptions> = {}): Promise<Tunnel> {
      const { dir } = proxy.realm;
      const made = await tunnel({ dir, port, authority, version: "TLSv1.3", client: null, ...options });
      t.after(() => made.process.stop());
      return made;
    }
    const nc = (through: number, port: number) =>
      ["nc", "-N", "-w", "20", "-X", "5", "-x", `127.0.0.1:${through}`, "127.0.0.1", String(port)] as const;

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      await t.test(`nc, ${version}`, async () => {
        const { port: through, process } = await tunnelTo(ports.open, { version });
        await proxy.assertEchoes((port) => nc(through, port));
        await process.waitForLine(new RegExp(version));
      });
    }

    await t.test("SOCKS4a by ncat", async () => {
      const { port: through } = await tunnelTo(ports.newest);
      const ncat = ["--proxy-type", "socks4", "--proxy", `127.0.0.1:${through}`, "--proxy-dns", "remote"];
      await proxy.assertEchoes((port) => ["ncat", ...ncat, "localhost", String(port)], { asks: "localhost" });
    });

    const curl = (through: number, port: number, password: string) => [
      "-q",
      "-sS",
      "--max-time",
      "20",
      "-x",
      `socks5h://${USER}:${password}@127.0.0.1:${through}`,
      "--noproxy",
      "",
      `http://localhost:${port}/`,
    ];
    await t.test("curl with a password, right and wrong", async () => {
      const origin = await proxy.origin((socket) => {
        socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nfetched"));
      });
      const { port: through } = await tunnelTo(ports.guarded);
      const { stdout, stderr } = await runToEnd("curl", curl(through, origin.port, PASSWORD));
      assert.equal(stdout, "fetched", stderr);
      await proxy.assertServed(origin.port, { asks: "localhost", principal: USER, method: "password" });
      await proxy.assertRefused("BAD_PASSWORD", ["curl", ...curl(through, origin.port, "wrong")]);
    });

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      await t.test(`the tunnel's certificate says who it is, ${version}`, async () => {
        const { port: through, process } = await tunnelTo(ports.required, { client, version });
        const who = { principal: SUBJECT, method: "certificate" };
        await proxy.assertEchoes((port) => nc(through, port), who);
        // A session that is resumed, as stunnel's is, has the certificate of the first.
        await proxy.assertEchoes((port) => nc(through, port), who);
        if (tunnel === stunnel) await process.waitForLine(/previous session reused/);
      });
    }

    await t.test("an authority that is not the proxy's", async () => {
      const { port: through, process } = await tunnelTo(ports.open, { authority: stranger });
      const isNew = proxy.server.later();
      const { code, stdout } = await runToEnd("nc", nc(through, 1).slice(1));
      assert.notEqual(code, 0);
      assert.equal(stdout, "");
      const record = await proxy.server.audit(isNew);
      assert.deepEqual([record.code, record.outcome], ["TLS_HANDSHAKE", "failed"]);
      await process.waitForLine(/certificate verify failed/);
    });
  });
}
