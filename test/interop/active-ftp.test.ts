/**
 * BIND as it is used: an ftp client in active mode (tnftp) that knows nothing of SOCKS, made to use it by Dante's
 * library, against an FTP server that others wrote (pyftpdlib). The server's data connections come in through the proxy.
 * SOCKS4, SOCKS5, and SOCKS5 with a password; files both ways.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";
import { run } from "../support/processes.js";
import { pythonFtpServer } from "../support/python.js";

const FETCH_DANTE = fileURLToPath(new URL("../../../scripts/fetch-dante.sh", import.meta.url));

test("active-mode FTP through the proxy", async (t) => {
  const library = (await run(FETCH_DANTE, [], { timeoutMs: 110_000 })).stdout.trim();
  const proxy = await PlainProxy.start(t);
  const { dir } = proxy.realm;
  const [served, local] = [path.join(dir, "served"), path.join(dir, "local")];
  await mkdir(served);
  await mkdir(local);
  const port = await pythonFtpServer(t, served);
  const file = randomBytes(3 << 20);
  await writeFile(path.join(served, "there"), file);
  await writeFile(path.join(local, "here"), file.subarray(1));

  const password = { SOCKS_USERNAME: USER, SOCKS_PASSWORD: PASSWORD };
  const cases: [
    version: "socks_v4" | "socks_v5",
    through: number,
    env: Record<string, string>,
    who: unknown[],
  ][] = [
    ["socks_v4", proxy.open, {}, ["none", null]],
    ["socks_v5", proxy.open, {}, ["none", null]],
    ["socks_v5", proxy.guarded, password, ["password", USER]],
  ];
  for (const [version, through, env, [method, principal]] of cases) {
    await t.test(`${version}, ${method}`, async () => {
      const isNew = proxy.server.later();
      const configuration = path.join(dir, "dante.conf");
      await writeFile(
        configuration,
        `route {
           from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${through}
           proxyprotocol: ${version}
           protocol: tcp
           command: connect bind
         }\n`,
      );
      const commands = ["user anonymous x", "binary", "get there got", "put here put", "ls", "quit"];
      const { stdout } = await run("tnftp", ["-A", "-n", "-v", "127.0.0.1", String(port)], {
        cwd: local,
        // The loopback interface is a network like any other; without this Dante would leave it alone.
        env: { ...env, LD_PRELOAD: library, SOCKS_CONF: configuration, SOCKS_AUTOADD_LANROUTES: "no" },
        input: `${commands.join("\n")}\n`,
      });
      assert.equal(stdout.match(/^226 /gm)?.length, 3, stdout);
      assert.match(stdout, / there$/m);
      assert.ok((await readFile(path.join(local, "got"))).equals(file), "got");
      assert.ok((await readFile(path.join(served, "put"))).equals(file.subarray(1)), "put");

      const control = await proxy.server.audit((record) => isNew(record) && record.command === "connect");
      assert.equal(control.destination, `127.0.0.1:${port}`);
      const got = await proxy.server.audit((record) => isNew(record) && record.bytesDown === file.length);
      const put = await proxy.server.audit((record) => isNew(record) && record.bytesUp === file.length - 1);
      for (const record of [control, got, put]) {
        assert.deepEqual([record.method, record.principal, record.outcome], [method, principal, "completed"]);
      }
      assert.deepEqual([got.command, put.command], ["bind", "bind"]);
    });
  }
});
