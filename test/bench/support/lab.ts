/** What every benchmark begins with: a realm, an origin, and the servers that are compared. */
import type { Running } from "../../support/processes.js";
import { CLI, ProxyServer } from "../../support/proxy.js";
import { Realm } from "../../support/realm.js";
import type { Options } from "./benchmark.js";
import { Dante } from "./dante.js";
import { Load, type Result, startPorts } from "./peer.js";
import { PROBE, type Probed, probe } from "./probe.js";
import { cpuSeconds } from "./process-tree.js";

export type Service = "source" | "sink" | "echo" | "bye" | "hold" | "turns" | "udp";
export const LEVELS = ["clear", "none", "integrity", "confidentiality"] as const;
/** `clear` is SOCKS5 without GSS; `direct` no SOCKS at all. */
export type Level = (typeof LEVELS)[number] | "direct";

/** A server under test, or a yardstick. */
export interface Target {
  readonly name: string;
  readonly pid: number;
  /** The client's arguments that lead through it to a service of the origin; null where it has no such level. */
  way(level: Level, to: Service): readonly string[] | null;
}

export interface LabOptions {
  /** Have gssocks tell of its event loop; see {@link Lab.probe}. */
  probed?: boolean;
}

export interface Measured {
  result: Result;
  /** Seconds on a processor: of the server's process tree, and of the client and the origin together. */
  server: number;
  client: number;
}

export class Lab {
  readonly realm: Realm;
  /** gssocks; see {@link Lab.gssocks}. */
  readonly proxy: ProxyServer;
  /** Its ports. */
  readonly ports: Readonly<Record<(typeof LEVELS)[number], number>>;
  /** gssocks, and the other servers there are. */
  readonly servers: readonly Target[];
  readonly relay: Target;
  /** The origin itself: what client and origin can do with nobody between them. */
  readonly straight: Target;
  /** Of the client and of the servers. KRB5_TRACE would be half of what is measured. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly #origin: Running;
  /** Of the origin, by service. */
  readonly #originPorts: Readonly<Record<string, number>>;
  readonly #stops: (() => Promise<unknown>)[];

  private constructor(
    realm: Realm,
    proxy: ProxyServer,
    origin: { process: Running; ports: Record<string, number> },
    targets: Pick<Lab, "servers" | "relay" | "straight">,
    stops: (() => Promise<unknown>)[],
  ) {
    this.realm = realm;
    this.env = withoutTrace(realm);
    this.proxy = proxy;
    this.ports = proxyPorts(proxy);
    this.#origin = origin.process;
    this.#originPorts = origin.ports;
    this.servers = targets.servers;
    this.relay = targets.relay;
    this.straight = targets.straight;
    this.#stops = stops;
  }

  static async start(
    options: Pick<Options, "workers" | "dantes">,
    enctype: string,
    { probed = false }: LabOptions = {},
  ): Promise<Lab> {
    const stops: (() => Promise<unknown>)[] = [];
    try {
      const realm = await Realm.start({ enctypes: [enctype] });
      stops.unshift(() => realm.stop());
      await realm.kinit("alice");
      const origin = await startPorts(["origin"]);
      stops.unshift(() => origin.process.stop());
      const relay = await startPorts([
        "relay",
        ...Object.entries(origin.ports).map(([name, port]) => `${name}=${port}`),
      ]);
      stops.unshift(() => relay.process.stop());

      const proxy = await startProxy(realm, options.workers, probed ? PROBE : undefined);
      stops.unshift(() => proxy.stop());
      const servers = [socksTarget("gssocks", proxy.pid, proxyPorts(proxy), origin.ports)];
      for (const build of options.dantes) {
        const dante = await Dante.start(build, realm);
        stops.unshift(() => dante.stop());
        servers.push(socksTarget(build.name, dante.pid, dante.ports, origin.ports));
      }
      const targets = {
        servers,
        relay: directTarget("relay", relay.process.pid, relay.ports),
        straight: directTarget("straight", origin.process.pid, origin.ports),
      };
      return new Lab(realm, proxy, origin, targets, stops);
    } catch (error) {
      for (const stop of stops) await stop();
      throw error;
    }
  }

  /** The server under test. */
  get gssocks(): Target {
    return this.servers[0] as Target;
  }

  /** A program that joins its standard input and output to the origin through gssocks, ready to begin. */
  async join(
    direction: "down" | "up",
    bytes: number,
    level: (typeof LEVELS)[number],
    command: (proxy: number, destination: number) => readonly string[],
  ): Promise<Load> {
    const destination = this.#originPorts[direction === "down" ? "source" : "sink"] as number;
    const words = command(this.ports[level], destination);
    return Load.prepare(["through", direction, `${bytes}`, ...words], this.env);
  }

  /** What gssocks has to tell since it was asked last. */
  probe(): Promise<Probed> {
    return probe(this.proxy);
  }

  /** A client that is ready to begin; null where the target has no such level. */
  async prepare(
    mode: string,
    target: Target,
    level: Level,
    to: Service,
    args: Readonly<Record<string, number>>,
  ): Promise<Load | null> {
    const way = target.way(level, to);
    return way && (await Load.prepare([mode, "--level", level, ...way, ...numbers(args)], this.env));
  }

  /** The client's work from its beginning to its end; null where the target has no such level. */
  async measure(
    mode: string,
    target: Target,
    level: Level,
    to: Service,
    args: Readonly<Record<string, number>>,
  ): Promise<Measured | null> {
    const load = await this.prepare(mode, target, level, to, args);
    if (load === null) return null;
    try {
      return await this.meter(target, () => {
        load.begin();
        return load.result();
      });
    } finally {
      await load.stop();
    }
  }

  /** What some work costs; its result tells of the client. */
  async meter(target: Target, work: () => Promise<Result>): Promise<Measured> {
    const pids = [target.pid, this.#origin.pid] as const;
    const before = pids.map(cpuSeconds);
    const result = await work();
    const [server = 0, origin = 0] = pids.map((pid, index) => cpuSeconds(pid) - (before[index] as number));
    return { result, server, client: (result.cpu ?? 0) + origin };
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
  }
}

/** As options of the command line. */
function numbers(args: Readonly<Record<string, number>>): string[] {
  return Object.entries(args).flatMap(([name, value]) => [`--${name}`, `${value}`]);
}

function directTarget(name: string, pid: number, ports: Readonly<Record<string, number>>): Target {
  return {
    name,
    pid,
    way: (level, to) => (level === "direct" ? ["--connect", `${ports[to]}`] : null),
  };
}

function socksTarget(
  name: string,
  pid: number,
  ports: Readonly<Partial<Record<Level, number>>>,
  origin: Readonly<Record<string, number>>,
): Target {
  return {
    name,
    pid,
    way: (level, to) => {
      const port = ports[level];
      return port === undefined ? null : ["--connect", `${port}`, "--to", `${origin[to]}`];
    },
  };
}

function startProxy(realm: Realm, workers: number, preload?: string): Promise<ProxyServer> {
  const config = {
    listeners: LEVELS.map((level) => ({
      address: "127.0.0.1:0",
      ...(level === "clear" ? { methods: ["none"] } : { gssapi: { protectionLevels: [level] } }),
    })),
    rules: [{ allow: { to: ["127.0.0.0/8"] } }],
    workers,
    limits: { sessions: 100_000, perSource: { sessions: 100_000 } },
    udp: { datagramsPerSecond: 1_000_000 },
    log: { level: "info" },
  };
  const env = { KRB5_TRACE: undefined, ...(preload && { NODE_OPTIONS: `--import ${preload}` }) };
  return ProxyServer.start(realm, config, { cli: CLI, env });
}

function proxyPorts(proxy: ProxyServer): Lab["ports"] {
  const [clear = 0, none = 0, integrity = 0, confidentiality = 0] = proxy.ports;
  return { clear, none, integrity, confidentiality };
}

function withoutTrace(realm: Realm): Lab["env"] {
  return { ...realm.env, KRB5_TRACE: undefined };
}
