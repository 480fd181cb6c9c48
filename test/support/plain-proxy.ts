/**
 * A proxy for programs that know nothing of GSS-API: three listeners, SOCKS4 and 5 on each, and what an administrator
 * reads of those who come.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { TestContext } from "node:test";
import { formatEndpoint, parseHost } from "../../src/protocol/address.js";
import { echo, Origin } from "./origin.js";
import { run, runToEnd, type StartOptions } from "./processes.js";
import { proxiedRealm } from "./proxied-realm.js";
import type { LogLine, ProxyServer } from "./proxy.js";
import type { Realm } from "./realm.js";

/** The one who may in where somebody has to be named. */
export const USER = "alice";
export const PASSWORD = "a-long-password";

/** A program and its arguments, those that go with the destination's port. */
export type CommandLine = (port: number) => readonly [command: string, ...args: string[]];

export interface Conversation {
  /** Where the destination listens; default 127.0.0.1. */
  at?: string;
  /** What the client asks the proxy for; default `at`. */
  asks?: string;
  /** Default: nobody. */
  principal?: string;
  /** Default `none`. */
  method?: string;
  options?: StartOptions;
}

export class PlainProxy {
  readonly server: ProxyServer;
  readonly realm: Realm;
  /** Lets everybody in: METHOD 0x00, USERID not looked at. At 127.0.0.1 and ::1. */
  readonly open: number;
  readonly openIpv6: number;
  /** Asks for the password, or in SOCKS4 for the name alone. */
  readonly guarded: number;
  readonly #context: TestContext;

  private constructor(context: TestContext, server: ProxyServer, realm: Realm) {
    this.#context = context;
    this.server = server;
    this.realm = realm;
    [this.open, this.openIpv6, this.guarded] = server.ports as [number, number, number];
  }

  /** @param more listeners, by their number from 3 on; `dir` is the realm's */
  static async start(
    context: TestContext,
    more: (dir: string) => Promise<readonly Record<string, unknown>[]> = async () => [],
  ): Promise<PlainProxy> {
    const { proxy, realm } = await proxiedRealm(context, async ({ dir }) => {
      const users = path.join(dir, "users");
      await run("htpasswd", ["-cbB", users, USER, PASSWORD]);
      const open = { methods: ["none"], socks4: { identity: "none" } };
      return {
        listeners: [
          { address: "127.0.0.1:0", ...open },
          { address: "[::1]:0", ...open },
          { address: "127.0.0.1:0", methods: ["password"], socks4: { identity: "asserted", users: [USER] } },
          ...(await more(dir)),
        ],
        passwords: { file: users },
      };
    });
    return new PlainProxy(context, proxy, realm);
  }

  /** What the program reads goes through the proxy to an echo, and what comes back it writes. */
  async assertEchoes(commandLine: CommandLine, conversation: Conversation = {}): Promise<void> {
    const origin = await this.origin(echo, conversation.at);
    const [command, ...args] = commandLine(origin.port);
    const input = randomBytes(150_000).toString("base64");
    const { options } = conversation;
    const { code, stdout, stderr } = await runToEnd(command, args, { ...options, input });
    assert.equal(code, 0, stderr);
    assert.ok(stdout === input, `${stdout.length} octets of ${input.length} came back: ${stderr}`);
    const record = await this.assertServed(origin.port, conversation);
    assert.deepEqual([record.bytesUp, record.bytesDown], [input.length, input.length]);
  }

  /** The program fails, having written nothing. @returns the audit record */
  async assertRefused(
    code: string,
    [command, ...args]: readonly [string, ...string[]],
    options: StartOptions = {},
  ): Promise<LogLine> {
    const isNew = this.server.later();
    const finished = await runToEnd(command, args, options);
    assert.notEqual(finished.code, 0, `${command} says that it succeeded`);
    assert.equal(finished.stdout, "");
    const record = await this.server.audit((each) => isNew(each) && each.code === code);
    assert.equal(record.outcome, "denied");
    return record;
  }

  /** The audit record of whoever asked for the port, which must say these things. */
  async assertServed(
    port: number,
    { at = "127.0.0.1", asks = at, principal, method = "none" }: Conversation = {},
  ): Promise<LogLine> {
    const destination = formatEndpoint({ host: parseHost(asks), port });
    const record = await this.server.audit((each) => String(each.destination).endsWith(`:${port}`));
    const said = {
      destination,
      address: formatEndpoint({ host: parseHost(at), port }),
      command: "connect",
      principal: principal ?? null,
      method,
      level: null,
      outcome: "completed",
    };
    assert.deepEqual(Object.fromEntries(Object.keys(said).map((key) => [key, record[key]])), said);
    return record;
  }

  /** A destination that stays until the test ends, so that its port is its own. */
  async origin(...args: Parameters<typeof Origin.start>): Promise<Origin> {
    const origin = await Origin.start(...args);
    this.#context.after(() => origin.stop());
    return origin;
  }
}
