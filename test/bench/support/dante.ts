/** Dante's server as a peer: Debian's `danted` without GSS-API, or a build with it. */

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Running, start } from "../../support/processes.js";
import type { Realm } from "../../support/realm.js";
import { installed } from "./installed.js";

export interface DanteBuild {
  name: string;
  path: string;
  gss: boolean;
}

/** The one that is installed, if there is one. */
export function installedDante(): DanteBuild[] {
  const found = installed("danted");
  return found === undefined ? [] : [{ name: "danted", path: found, gss: false }];
}

export class Dante {
  readonly ports: Readonly<Partial<Record<"clear" | "none" | "integrity" | "confidentiality", number>>>;
  readonly #process: Running;
  readonly #dir: string;

  private constructor(child: Running, dir: string, build: DanteBuild, port: number) {
    this.#process = child;
    this.#dir = dir;
    this.ports = build.gss
      ? { clear: port, none: port, integrity: port, confidentiality: port }
      : { clear: port };
  }

  static async start(build: DanteBuild, realm: Realm): Promise<Dante> {
    const dir = await mkdtemp(path.join(tmpdir(), "dante-"));
    const port = await freePort();
    const file = path.join(dir, "sockd.conf");
    await writeFile(file, configuration(port, build.gss, realm));
    const child = await start(build.path, ["-f", file, "-p", path.join(dir, "pid")], {
      env: { ...realm.env, KRB5_TRACE: undefined },
    });
    try {
      await child.waitForLine(/running/);
    } catch (error) {
      await child.stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
    return new Dante(child, dir, build, port);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Dante can't be told to take one that the system picks. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function configuration(port: number, gss: boolean, realm: Realm): string {
  const gssapi = [
    "  gssapi.servicename: rcmd",
    `  gssapi.keytab: FILE:${realm.keytab}`,
    "  gssapi.enctype: clear integrity confidentiality",
  ];
  return [
    "logoutput: stderr",
    "errorlog: stderr",
    `internal: 127.0.0.1 port = ${port}`,
    "external: 127.0.0.2",
    "clientmethod: none",
    `socksmethod: ${gss ? "gssapi none" : "none"}`,
    "user.privileged: root",
    "user.unprivileged: root",
    "client pass {",
    "  from: 127.0.0.0/8 to: 0.0.0.0/0",
    // The keytab of a client rule is the one that contexts are accepted with.
    ...(gss ? gssapi : []),
    "}",
    "socks pass {",
    "  from: 127.0.0.0/8 to: 127.0.0.0/8",
    `  socksmethod: ${gss ? "gssapi none" : "none"}`,
    ...(gss ? gssapi : []),
    "}",
    "",
  ].join("\n");
}
