/**
 * psql through `gssocks forward` to a real PostgreSQL under TLS, with the two ways that people have for programs that know no
 * proxy: proxychains4 in front of it, and a tunnel of socat's. Some megabytes into a table and out again, compared.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { assertSealed, forwardedRealm } from "../support/forwarded-realm.js";
import { run, start } from "../support/processes.js";
import { DATABASE_USER, startPostgres } from "../support/real-servers.js";

/** Lines of some 1000 characters. */
const LINES = 4000;

test("psql", async (t) => {
  const { realm, proxy, forwarder } = await forwardedRealm(t);
  const authority = await makeAuthority(realm.dir);
  const certificate = await makeCertificate(realm.dir, "postgres", "DNS:localhost", authority);
  const server = await startPostgres(t, certificate);
  const env = {
    HOME: realm.dir,
    PGUSER: DATABASE_USER.user,
    PGPASSWORD: DATABASE_USER.password,
    PGDATABASE: "postgres",
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: authority.certificate,
    // To PostgreSQL itself; the ticket is for the proxy.
    PGGSSENCMODE: "disable",
  };
  const text = Array.from({ length: LINES }, () => `${randomBytes(500).toString("hex")}\n`).join("");

  /** @param prefix of the command line; @param at where psql connects to */
  async function loadAndRead(name: string, prefix: readonly string[], at: string): Promise<void> {
    const psql = async (input: string, ...queries: string[]) => {
      const told = queries.flatMap((query) => ["-c", query]);
      const [command = "", ...args] = [...prefix, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
      return (await run(command, [...args, at, ...told], { env, input })).stdout;
    };
    await psql(text, `CREATE TABLE ${name} (line text)`, `\\copy ${name} FROM STDIN`);
    const [tls, md5] = (
      await psql(
        "",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        `SELECT md5(string_agg(line || E'\\n', '' ORDER BY ctid)) FROM ${name}`,
      )
    ).split("\n");
    assert.deepEqual([tls, md5], ["t", createHash("md5").update(text).digest("hex")]);
    assert.ok((await psql("", `\\copy ${name} TO STDOUT`)) === text, "what comes out is what went in");
  }

  await t.test("proxychains4", async () => {
    const file = path.join(realm.dir, "proxychains.conf");
    const lines = ["strict_chain", "proxy_dns", "[ProxyList]", `socks5 127.0.0.1 ${forwarder.port}`, ""];
    writeFileSync(file, lines.join("\n"));
    // It takes `localhost` from /etc/hosts, but only in small letters. Case is nothing to a name.
    const at = `host=LOCALHOST port=${server.port}`;
    await loadAndRead("chained", ["proxychains4", "-q", "-f", file], at);
    const destination = `LOCALHOST:${server.port}`;
    for (const way of ["bytesUp", "bytesDown"])
      await assertSealed(proxy, destination, (line) => Number(line[way]) > text.length);
  });

  await t.test("a tunnel of socat's", async (t) => {
    const through = `SOCKS4A:127.0.0.1:localhost:${server.port},socksport=${forwarder.port}`;
    const listen = "TCP4-LISTEN:0,bind=127.0.0.1,fork";
    const socat = await start("socat", ["-d", "-d", listen, through], { test: t });
    const [, port] = await socat.waitForLine(/listening on AF=2 127\.0\.0\.1:(\d+)/);
    await loadAndRead("tunnelled", [], `host=localhost hostaddr=127.0.0.1 port=${port}`);
    const destination = `localhost:${server.port}`;
    for (const way of ["bytesUp", "bytesDown"])
      await assertSealed(proxy, destination, (line) => Number(line[way]) > text.length);
  });
});
