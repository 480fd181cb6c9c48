/**
 * A Kerberos realm of a test's own: a directory, a KDC on a free port of 127.0.0.1, users, services and their keytabs.
 * It takes about 0.15 s to start and touches nothing outside its directory. See krb5-testenv/README.md.
 */

import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Running, run, runToEnd, start } from "./processes.js";

const testenv = fileURLToPath(new URL("../../../krb5-testenv/", import.meta.url));

export interface RealmOptions {
  /** Default EXAMPLE.TEST; its hosts are those of the domain in lower case, and localhost. */
  realm?: string;
  /** Of all keys and tickets; default aes256-cts-hmac-sha1-96. */
  enctypes?: readonly string[];
  /** The longest life of a ticket, in seconds; default 36000. */
  lifetime?: number;
  /** More users, name to password, beside alice (alice-password) and bob (bob-password). */
  principals?: Readonly<Record<string, string>>;
  /** More services, as `HTTP/proxy.example.test`, beside those of provision.sh. */
  services?: readonly string[];
  /** The directory that holds the KDC's database, as an LDAP URL; a file of its own otherwise. */
  ldap?: string;
  /** A running realm that this one trusts and is trusted by. Its krb5.conf then knows both. */
  trustWith?: Realm;
}

export interface KinitOptions {
  /** Name of the credential cache to write inside the realm's directory, or TYPE:REST. Default: the realm's KRB5CCNAME. */
  ccache?: string;
  /** Sign in with this password; default: with the key in `usersKeytab`. */
  password?: string;
  /** Seconds. */
  lifetime?: number;
  /** More arguments for kinit. */
  args?: readonly string[];
}

export class Realm {
  readonly name: string;
  readonly dir: string;
  /** For child processes: spread over process.env. */
  readonly env: Readonly<Record<string, string>>;
  readonly kdcPort: number;
  /** Path of the services' keytab; `env.KRB5_KTNAME` names it. */
  readonly keytab: string;
  /** Path of the users' keytab. No variable names it: nobody has a ticket who did not ask. */
  readonly usersKeytab: string;
  /** Path of the KRB5_TRACE file. */
  readonly traceFile: string;
  #kdc: Running;
  readonly #entered = new Map<string, string | undefined>();
  readonly #removeAtExit: () => void;

  private constructor(name: string, dir: string, env: Record<string, string>, kdcPort: number, kdc: Running) {
    this.name = name;
    this.dir = dir;
    this.env = env;
    this.kdcPort = kdcPort;
    this.keytab = path.join(dir, "service.keytab");
    this.usersKeytab = path.join(dir, "users.keytab");
    this.traceFile = path.join(dir, "trace");
    this.#kdc = kdc;
    this.#removeAtExit = () => rmSync(dir, { recursive: true, force: true });
    process.once("exit", this.#removeAtExit);
  }

  /** Makes a realm; its KDC answers when this is fulfilled. */
  static async start(options: RealmOptions = {}): Promise<Realm> {
    const name = options.realm ?? "EXAMPLE.TEST";
    const dir = await mkdtemp(path.join(tmpdir(), "realm-"));
    const args = ["--realm", name];
    if (options.enctypes) args.push("--enctypes", options.enctypes.join(","));
    if (options.lifetime !== undefined) args.push("--lifetime", String(options.lifetime));
    if (options.ldap !== undefined) args.push("--ldap", options.ldap);
    if (options.trustWith) args.push("--trust", options.trustWith.dir);
    for (const [user, password] of Object.entries(options.principals ?? {}))
      args.push("--principal", `${user}:${password}`);
    for (const service of options.services ?? []) args.push("--service", service);
    try {
      const kdc = await start(path.join(testenv, "provision.sh"), [...args, dir]);
      await kdc.waitForLine(/commencing operation/);
      const printed = Object.fromEntries(
        [...kdc.stdout().matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
      );
      const { KDC_PORT: port, KDC_PID: _pid, ...env } = printed as Record<string, string>;
      return new Realm(name, dir, env, Number(port), kdc);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Puts the realm into this process's own environment, for GSS calls in-process. Node's assignment is a setenv(3),
   * and MIT reads the variables whenever it makes a context, so it may be called at any time; `stop` undoes it.
   * `ccache`, a result of {@link kinit}, takes the place of the default.
   */
  enter(ccache?: string): void {
    for (const [key, value] of Object.entries({ ...this.env, ...(ccache && { KRB5CCNAME: ccache }) })) {
      if (!this.#entered.has(key)) this.#entered.set(key, process.env[key]);
      process.env[key] = value;
    }
  }

  /** Gets a ticket-granting ticket; gives the name of the credential cache, as KRB5CCNAME wants it. */
  async kinit(principal: string, options: KinitOptions = {}): Promise<string> {
    const wanted = options.ccache ?? (this.env.KRB5CCNAME as string);
    const ccache = wanted.includes(":") ? wanted : `FILE:${path.join(this.dir, wanted)}`;
    const args = ["-c", ccache];
    if (options.lifetime !== undefined) args.push("-l", `${options.lifetime}s`);
    if (options.password === undefined) args.push("-k", "-t", this.usersKeytab);
    const input = options.password === undefined ? "" : `${options.password}\n`;
    await run("kinit", [...args, ...(options.args ?? []), principal], { env: this.env, input });
    return ccache;
  }

  /** Adds a user with a password and a key in `usersKeytab`, or, without a password, a service with a random key. */
  async addPrincipal(principal: string, password?: string): Promise<void> {
    if (password === undefined) await this.kadmin([`addprinc -clearpolicy -randkey "${principal}"`]);
    else
      await this.kadmin([
        `addprinc -clearpolicy -pw "${password}" "${principal}"`,
        `ktadd -norandkey -k ${this.usersKeytab} "${principal}"`,
      ]);
  }

  /** Gives a service a new key, with the next key version, and adds it to a keytab (a path; default: `keytab`). */
  async ktadd(principal: string, keytab: string = this.keytab): Promise<void> {
    await this.kadmin([`ktadd -k ${keytab} "${principal}"`]);
  }

  /** Runs lines of kadmin.local; gives its output. Rejects if it complained. */
  async kadmin(lines: readonly string[]): Promise<string> {
    const input = `${lines.join("\n")}\n`;
    const env = { ...this.env, KRB5_TRACE: undefined, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const { stdout, stderr, code } = await runToEnd("kadmin.local", ["-r", this.name], { env, input });
    if (code !== 0 || stderr !== "") throw new Error(`kadmin.local: ${stderr || stdout}`);
    return stdout;
  }

  /** Ends the KDC and leaves the rest: what a network without its KDC is like. */
  async stopKdc(): Promise<void> {
    await this.#kdc.stop();
  }

  /** Starts the KDC again, on the port it had. */
  async startKdc(): Promise<void> {
    await this.#kdc.stop();
    const env = {
      ...this.env,
      KRB5_TRACE: undefined,
      KDC_PORT: String(this.kdcPort),
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    };
    const pidFile = path.join(this.dir, "kdc.pid");
    const args = [path.join(testenv, "reserve-port.pl"), "krb5kdc", "-r", this.name, "-n", "-P", pidFile];
    this.#kdc = await start("perl", args, { env });
    await this.#kdc.waitForLine(/commencing operation/);
  }

  /** The end of the KDC's log and of the trace, to be shown when a test has failed. */
  async logs(lines = 60): Promise<string> {
    const parts = ["kdc.log", "trace"].map(async (file) => {
      const text = await readFile(path.join(this.dir, file), "utf8").catch(() => "(none)");
      return `--- ${this.name} ${file}\n${text.trimEnd().split("\n").slice(-lines).join("\n")}\n`;
    });
    return (await Promise.all(parts)).join("");
  }

  /** Stops the KDC, removes the directory and takes back what {@link enter} set. */
  async stop(): Promise<void> {
    await this.#kdc.stop();
    for (const [key, value] of this.#entered) {
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
    }
    this.#entered.clear();
    process.off("exit", this.#removeAtExit);
    await rm(this.dir, { recursive: true, force: true });
  }
}
