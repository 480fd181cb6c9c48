// Drivers that others wrote, by createSocket as docs/library.md shows it, through the proxy to real servers: pg to
// PostgreSQL (in clear, under TLS, a pool, a connection that is denied), mysql2 to MariaDB, ioredis to Redis, ssh2 to
// sshd, nodemailer to an SMTP server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { AbstractConnector, Redis } from "ioredis";
import mysql from "mysql2/promise";
import nodemailer from "nodemailer";
import pg from "pg";
import ssh2 from "ssh2";
import { createSocket, type ProxyOptions, type ProxySocket } from "../../src/index.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import {
  DATABASE_USER,
  startMariadb,
  startPostgres,
  startRedis,
  startSmtp,
  startSshd,
} from "../support/real-servers.js";

test("pg to PostgreSQL", async (context) => {
  const { realm, proxy } = await proxiedRealm(context);
  const authority = await makeAuthority(realm.dir);
  const server = await startPostgres(
    context,
    await makeCertificate(realm.dir, "postgres", "DNS:localhost", authority),
  );
  const options: ProxyOptions = { proxy: { host: "localhost", port: proxy.port } };
  const ca = readFileSync(authority.certificate, "utf8");
  const given = { ...DATABASE_USER, database: "postgres", host: "localhost", port: server.port };

  for (const ssl of [false, { ca }]) {
    let socket: ProxySocket | null = null;
    const stream = () => {
      socket = createSocket(options);
      return socket;
    };
    const client = new pg.Client({ ...given, ssl, stream, keepAlive: true });
    await client.connect();
    const { rows } = await client.query<{ ssl: boolean; port: number; text: string }>(
      "SELECT ssl, inet_server_port() AS port, repeat('x', 1000000) AS text FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    assert.deepEqual(
      rows.map(({ text, ...row }) => ({ ...row, length: text.length })),
      [{ ssl: ssl !== false, port: server.port, length: 1_000_000 }],
    );
    await client.end();
    assert.equal((socket as ProxySocket | null)?.session?.level, "confidentiality");
  }

  const pool = new pg.Pool({ ...given, max: 3, stream: () => createSocket(options) });
  const sums = await Promise.all(
    Array.from(
      { length: 20 },
      async (_, n) => (await pool.query<{ n: number }>("SELECT $1::int + 1 AS n", [n])).rows[0]?.n,
    ),
  );
  assert.deepEqual(
    sums,
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
  await pool.end();

  const denied = new pg.Client({ ...given, host: "192.0.2.1", stream: () => createSocket(options) });
  await assert.rejects(denied.connect(), { name: "PolicyError", code: "RULE_DENIED" });
});

test("mysql2 to MariaDB", async (context) => {
  const { proxy } = await proxiedRealm(context);
  const server = await startMariadb(context);
  const destination = { host: "127.0.0.1", port: server.port };
  const options: ProxyOptions = { proxy: { host: "localhost", port: proxy.port } };
  const connection = await mysql.createConnection({
    ...DATABASE_USER,
    stream: () => createSocket({ ...options, destination }),
  });
  const [rows] = await connection.query("SELECT @@port AS port, REPEAT('x', 100000) AS text");
  assert.deepEqual(rows, [{ port: server.port, text: "x".repeat(100_000) }]);
  await connection.end();
});

test("ioredis to Redis", async (context) => {
  const { proxy } = await proxiedRealm(context);
  const server = await startRedis(context);
  const options: ProxyOptions = { proxy: { host: "localhost", port: proxy.port } };

  class Connector extends AbstractConnector {
    readonly #at: { host: string; port: number };
    constructor(given: unknown) {
      super(2000);
      this.#at = given as { host: string; port: number };
    }
    override async connect() {
      this.connecting = true;
      this.stream = createSocket({ ...options, destination: this.#at });
      return this.stream;
    }
  }
  const { password } = DATABASE_USER;
  const redis = new Redis({ host: "127.0.0.1", port: server.port, password, Connector });
  await redis.set("key", "value");
  const pipeline = redis.pipeline();
  for (let n = 0; n < 500; n++) pipeline.incr("count");
  await pipeline.exec();
  assert.deepEqual(await redis.mget("key", "count"), ["value", "500"]);
  await redis.quit();
});

test("ssh2 to sshd", async (context) => {
  const { realm, proxy } = await proxiedRealm(context);
  const key = path.join(realm.dir, "user-key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const server = await startSshd(context, realm.dir, `${key}.pub`);
  const options: ProxyOptions = { proxy: { host: "localhost", port: proxy.port } };

  const client = new ssh2.Client();
  client.connect({
    sock: createSocket({ ...options, destination: { host: "127.0.0.1", port: server.port } }),
    username: userInfo().username,
    privateKey: readFileSync(key),
  });
  await once(client, "ready");
  const output = await new Promise<string>((resolve, reject) => {
    client.exec("head -c 1000000 /dev/zero | tr '\\0' x", (error, stream) => {
      if (error) return reject(error);
      let text = "";
      stream.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      stream.on("close", (code: number) => resolve(`${code} ${text}`));
    });
  });
  assert.equal(output, `0 ${"x".repeat(1_000_000)}`);
  client.end();
  await once(client, "close");
});

test("nodemailer to an SMTP server", async (context) => {
  const { proxy } = await proxiedRealm(context);
  const server = await startSmtp(context);
  const options: ProxyOptions = { proxy: { host: "localhost", port: proxy.port } };
  const transport = nodemailer.createTransport({
    host: "127.0.0.1",
    port: server.port,
    getSocket({ host = "localhost", port = 25 }, callback) {
      const connection = createSocket({ ...options, destination: { host, port: Number(port) } });
      connection.once("error", (error) => callback(error, undefined));
      connection.once("connect", () => callback(null, { connection }));
    },
  });
  const sent = await transport.sendMail({
    from: "alice@example.test",
    to: "bob@example.test",
    subject: "through the proxy",
    text: "line\n".repeat(2000),
  });
  assert.deepEqual(sent.accepted, ["bob@example.test"]);
  assert.match(server.output(), /Subject: through the proxy/);
});
