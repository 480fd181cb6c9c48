/** OpenSSH's server, on a port of its own, with keys of its own; it lets the current user in with a realm's ticket. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { run } from "./processes.js";
import { type RealServer, serve } from "./real-servers.js";
import type { Realm } from "./realm.js";

export interface SshServer extends RealServer {
  /** For ssh, scp and sftp: options that know the server's key, and its port. */
  readonly options: readonly string[];
}

/** @param principals who may sign in as the current user */
export async function startSshd(
  test: TestContext,
  realm: Realm,
  principals: readonly string[],
): Promise<SshServer> {
  const { username } = userInfo();
  const dir = path.join(realm.dir, "sshd");
  const file = (name: string) => path.join(dir, name);
  await mkdir(file("k5login"), { recursive: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file("host-key")]);
  // Where sshd runs as root it wants a directory for its unprivileged half, which its service would make.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const publicKey = (await readFile(file("host-key.pub"), "utf8")).split(" ").slice(0, 2).join(" ");
  await writeFile(file("known-hosts"), `gssocks-test ${publicKey}\n`);
  // In place of the user's own ~/.k5login.
  await writeFile(path.join(file("k5login"), username), principals.map((each) => `${each}\n`).join(""));
  await writeFile(file("krb5.conf"), `[libdefaults]\n  k5login_directory = ${file("k5login")}\n`);
  const settings = {
    ListenAddress: "127.0.0.1",
    HostKey: file("host-key"),
    AuthenticationMethods: "gssapi-with-mic",
    GSSAPIAuthentication: "yes",
    // Any key of the keytab: the machine's own name is not in it.
    GSSAPIStrictAcceptorCheck: "no",
    PermitRootLogin: "yes",
    StrictModes: "no",
    UsePAM: "no",
    PidFile: "none",
    LogLevel: "VERBOSE",
    Subsystem: "sftp internal-sftp",
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} ${value}\n`);
  await writeFile(file("config"), lines.join(""));
  const kerberos = [
    `KRB5_CONFIG=${file("krb5.conf")}:${realm.env.KRB5_CONFIG}`,
    `KRB5_KTNAME=${realm.env.KRB5_KTNAME}`,
    `KRB5RCACHEDIR=${realm.env.KRB5RCACHEDIR}`,
  ];
  const command = ["env", ...kerberos, "/usr/sbin/sshd", "-D", "-e", "-f", file("config"), "-p", "PORT"];
  const server = await serve(test, command, /Server listening on 127\.0\.0\.1 port/);
  const options = {
    Port: server.port,
    User: username,
    UserKnownHostsFile: file("known-hosts"),
    GlobalKnownHostsFile: "none",
    HostKeyAlias: "gssocks-test",
    StrictHostKeyChecking: "yes",
    GSSAPIAuthentication: "yes",
    PreferredAuthentications: "gssapi-with-mic",
    BatchMode: "yes",
  };
  const given = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return { ...server, options: ["-F", "none", ...given] };
}
