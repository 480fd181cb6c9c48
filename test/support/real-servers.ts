/** Servers that others wrote, as destinations: each on a port of 127.0.0.1 of its own, in a directory of its own. */
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Certificate } from "./certificates.js";
import { type Running, run, start } from "./processes.js";
import { showOnFailure } from "./show-on-failure.js";

const RESERVE_PORT = fileURLToPath(new URL("../../../krb5-testenv/reserve-port.pl", import.meta.url));
/** Debian's nobody: databases refuse to run as root. */
export const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

export interface RealServer {
  readonly port: number;
  /** What it wrote so far. */
  output(): string;
}

/** Of the user that {@link unprivileged} programs run as. */
export function directoryFor(test: TestContext, name: string): string {
  const dir = mkdtempSync(path.join(tmpdir(), `${name}-`));
  if (isRoot) chownSync(dir, NOBODY, NOBODY);
  test.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** `command` as it is to be started: not as root. */
export function unprivileged(...command: string[]): string[] {
  if (!isRoot) return command;
  return [
    "setpriv",
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    "--clear-groups",
    "--pdeathsig",
    "KILL",
    "--",
    ...command,
  ];
}

/** @param command in which PORT stands for the port */
export async function serve(
  test: TestContext,
  command: readonly string[],
  ready: RegExp,
): Promise<RealServer> {
  let server: Running | null = null;
  const output = () => `${server?.stdout() ?? ""}${server?.stderr() ?? ""}`;
  showOnFailure(test, () => `--- ${command.join(" ")}\n${output()}`);
  const words = command.map(
    (word) => `'${word.replaceAll("'", `'\\''`).replaceAll("PORT", `'"$KDC_PORT"'`)}'`,
  );
  const script = `echo "port $KDC_PORT"; exec ${words.join(" ")}`;
  server = await start("perl", [RESERVE_PORT, "sh", "-c", script], { test });
  const [, port] = await server.waitForLine(/^port (\d+)$/);
  await server.waitForLine(ready, 30_000);
  return { port: Number(port), output };
}

/** PostgreSQL with TLS; its superuser's name and password are {@link DATABASE_USER}'s. */
export async function startPostgres(
  test: TestContext,
  { certificate, key }: Certificate,
): Promise<RealServer> {
  const root = "/usr/lib/postgresql";
  const version = readdirSync(root).toSorted((a, b) => Number(b) - Number(a))[0] as string;
  const bin = path.join(root, version, "bin");
  const dir = directoryFor(test, "postgres");
  const own = (name: string, from?: string, text = "") => {
    const file = path.join(dir, name);
    if (from === undefined) writeFileSync(file, text);
    else copyFileSync(from, file);
    chmodSync(file, 0o600);
    if (isRoot) chownSync(file, NOBODY, NOBODY);
    return file;
  };
  const password = own("password", undefined, DATABASE_USER.password);
  const data = path.join(dir, "data");
  const options = [
    "-U",
    DATABASE_USER.user,
    "-A",
    "scram-sha-256",
    `--pwfile=${password}`,
    "--locale=C",
    "--no-sync",
  ];
  const [command = "", ...args] = unprivileged(path.join(bin, "initdb"), "-D", data, ...options);
  await run(command, args, { cwd: dir });
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    ssl: "on",
    ssl_cert_file: own("certificate", certificate),
    ssl_key_file: own("key", key),
  };
  const given = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = unprivileged(path.join(bin, "postgres"), "-D", data, "-p", "PORT", ...given);
  return serve(test, server, /ready to accept connections/);
}

export const DATABASE_USER = { user: "tester", password: "database-password" };

export async function startMariadb(test: TestContext): Promise<RealServer> {
  const dir = directoryFor(test, "mariadb");
  const data = path.join(dir, "data");
  const options = [
    `--datadir=${data}`,
    `--tmpdir=${dir}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
  ];
  const [command = "", ...args] = unprivileged("mariadb-install-db", "--no-defaults", ...options);
  await run(command, args, { cwd: dir });
  const { user, password } = DATABASE_USER;
  const init = path.join(dir, "init.sql");
  writeFileSync(init, `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';\n`);
  return serve(
    test,
    unprivileged(
      "/usr/sbin/mariadbd",
      "--no-defaults",
      `--datadir=${data}`,
      `--tmpdir=${dir}`,
      `--socket=${path.join(dir, "socket")}`,
      `--pid-file=${path.join(dir, "pid")}`,
      `--init-file=${init}`,
      "--bind-address=127.0.0.1",
      "--port=PORT",
      "--skip-name-resolve",
    ),
    /ready for connections/,
  );
}

/** With {@link DATABASE_USER}'s password. */
export function startRedis(test: TestContext): Promise<RealServer> {
  const dir = directoryFor(test, "redis");
  const options = ["--bind", "127.0.0.1", "--port", "PORT", "--dir", dir, "--save", ""];
  const server = unprivileged("redis-server", ...options, "--requirepass", DATABASE_USER.password);
  return serve(test, server, /Ready to accept connections/i);
}

/** An SMTP server that writes what it is sent to its output. */
export function startSmtp(test: TestContext): Promise<RealServer> {
  const script = `
import asyncio, os, sys
from aiosmtpd.smtp import SMTP
from aiosmtpd.handlers import Debugging
async def main():
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Debugging(sys.stdout), hostname="mail.test"), "127.0.0.1", int(sys.argv[1]))
    print("listening", flush=True)
    await server.serve_forever()
asyncio.run(main())
`;
  return serve(test, ["/usr/bin/python3", "-u", "-c", script, "PORT"], /^listening$/);
}

/** An sshd that lets the user of this process in with the key whose public half is `authorized`. */
export async function startSshd(test: TestContext, dir: string, authorized: string): Promise<RealServer> {
  const hostKey = path.join(dir, "sshd-host-key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]);
  // Where sshd runs as root it wants a directory for its unprivileged half, which its service would make.
  if (isRoot) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const settings = [
    `HostKey=${hostKey}`,
    `AuthorizedKeysFile=${authorized}`,
    "AuthenticationMethods=publickey",
    "PermitRootLogin=yes",
    // The keys lie below a directory that everyone may write to.
    "StrictModes=no",
    "UsePAM=no",
    "PidFile=none",
    "ListenAddress=127.0.0.1",
  ].flatMap((setting) => ["-o", setting]);
  const command = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", "PORT", ...settings];
  return serve(test, command, /Server listening on/);
}
