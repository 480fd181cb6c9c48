/** Proxies that others wrote, for our client to go through. */
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import type { Certificate } from "./certificates.js";
import { tcpEnd, until } from "./kernel.js";
import { type Running, run, start } from "./processes.js";
import { directoryFor, type RealServer, serve, unprivileged } from "./real-servers.js";
import type { Realm } from "./realm.js";

/** Whom they let in by a password. */
export const USER = { username: "carol", password: "carol-password" };

const HELPERS = "/usr/lib/squid";

export interface SquidOptions {
  /** `negotiate` lets in who has a ticket of the realm, for HTTP/localhost; `basic` {@link USER}; none: everybody. */
  schemes: readonly ("negotiate" | "basic")[];
  /** Speaks TLS. */
  tls?: Certificate;
}

export interface Squid extends RealServer {
  /** Follows its access log: user, method, destination and status. */
  readonly access: Running;
}

/** It refuses what goes to 127.0.0.9. */
export async function startSquid(
  test: TestContext,
  realm: Realm,
  { schemes, tls }: SquidOptions,
): Promise<Squid> {
  const dir = directoryFor(test, "squid");
  const own = (from: string) => {
    const file = path.join(dir, path.basename(from));
    copyFileSync(from, file);
    // It runs as another user, and the secrets are a test's.
    chmodSync(file, 0o644);
    return file;
  };
  const users = path.join(dir, "users");
  const accessLog = path.join(dir, "access.log");
  await run("htpasswd", ["-cb", users, USER.username, USER.password]);
  const programs = {
    negotiate: `${HELPERS}/negotiate_kerberos_auth -k ${own(realm.keytab)} -s GSS_C_NO_NAME`,
    basic: `${HELPERS}/basic_ncsa_auth ${users}`,
  };
  const port =
    tls === undefined
      ? "http_port 127.0.0.1:@"
      : `https_port 127.0.0.1:@ tls-cert=${own(tls.certificate)} tls-key=${own(tls.key)}`;
  const lines = [
    port,
    ...schemes.flatMap((scheme) => [
      `auth_param ${scheme} program ${programs[scheme]}`,
      `auth_param ${scheme} children 1 startup=1`,
    ]),
    "acl refused dst 127.0.0.9",
    "http_access deny refused",
    ...(schemes.length > 0
      ? ["acl known proxy_auth REQUIRED", "http_access allow known"]
      : ["http_access allow all"]),
    "http_access deny all",
    `access_log stdio:${accessLog}`,
    "cache_log /dev/null",
    "pid_filename none",
    "cache deny all",
    "cache_mem 1 MB",
    "pinger_enable off",
    "shutdown_lifetime 0 seconds",
    "max_filedescriptors 1024",
    `coredump_dir ${dir}`,
    "connect_timeout 10 seconds",
    "client_persistent_connections on",
  ];
  const config = path.join(dir, "squid.conf");
  // It takes no port from its command line.
  const kerberos = [
    `KRB5_CONFIG=${own(realm.env.KRB5_CONFIG as string)}`,
    `KRB5RCACHEDIR=${dir}`,
    `KRB5_TRACE=${path.join(dir, "trace")}`,
  ];
  const script = 'sed "s/:@/:$1/" "$0" >"$0.own" && exec squid -N -d 1 -f "$0.own"';
  const command = unprivileged("env", ...kerberos, "sh", "-c", script, config, "PORT");
  writeFileSync(config, lines.map((line) => `${line}\n`).join(""));
  chmodSync(config, 0o644);
  const server = await serve(test, command, /Accepting HTTPS? Socket connections/i);
  // It says so between bind(2) and listen(2).
  const address = `127.0.0.1:${server.port}`;
  await until(`squid listens on ${address}`, () => tcpEnd(address, "0.0.0.0:0") !== null);
  return { ...server, access: await start("tail", ["-n", "+1", "-F", accessLog], { test }) };
}

/** @param guarded lets in {@link USER} alone; else everybody */
export async function startTinyproxy(
  test: TestContext,
  { guarded }: { guarded: boolean },
): Promise<RealServer> {
  const dir = directoryFor(test, "tinyproxy");
  const config = path.join(dir, "tinyproxy.conf");
  const lines = [
    "Port @",
    "Listen 127.0.0.1",
    "Timeout 60",
    "LogLevel Info",
    "MaxClients 20",
    "DisableViaHeader Yes",
    ...(guarded ? [`BasicAuth ${USER.username} ${USER.password}`] : []),
  ];
  writeFileSync(config, lines.map((line) => `${line}\n`).join(""));
  chmodSync(config, 0o644);
  const script = 'sed "s/@/$1/" "$0" >"$0.own" && exec tinyproxy -d -c "$0.own"';
  return serve(test, unprivileged("sh", "-c", script, config, "PORT"), /Accepting connections/);
}
