/** Our own client, `gssocks connect`, through our own server: one connection, standard input and output to the origin. */
import { ENCTYPES } from "../support/enctypes.js";
import { CLI } from "../support/proxy.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { installed } from "./support/installed.js";
import { Lab, type LEVELS } from "./support/lab.js";

const GB = 1e9;
const DIRECTIONS = ["down", "up"] as const;
type Direction = (typeof DIRECTIONS)[number];

interface Client {
  name: string;
  level: (typeof LEVELS)[number];
  command: (proxy: number, destination: number) => string[];
}

interface Cost {
  client: Client;
  direction: Direction;
  /** MB a second. */
  speed: number;
  /** Seconds on a processor for a GB. */
  server: number;
  own: number;
}

/** It has no way without GSS-API: at level none it carries what it is given as it is, as it would without. */
const GSSOCKS = (["none", "integrity", "confidentiality"] as const).map(
  (level): Client => ({
    name: "gssocks connect",
    level,
    command: (proxy, destination) => [
      ...[process.execPath, CLI, "connect", "127.0.0.1", `${destination}`],
      ...["--proxy", `localhost:${proxy}`, "--level", level],
    ],
  }),
);

/** Debian's netcat-openbsd, for how the server does without GSS-API. */
const NC: Client = {
  name: "nc",
  level: "clear",
  command: (proxy, destination) => [
    ...["nc", "-N", "-X", "5", "-x", `127.0.0.1:${proxy}`, "127.0.0.1", `${destination}`],
  ],
};

export const own: Benchmark = {
  name: "own",
  about:
    "one connection from the standard input and to the standard output of `gssocks connect` (nc: without GSS), through gssocks to the origin. CPU of client and server, for a GB; `× none` is beside the same client at level none",
  async run(options) {
    const lab = await Lab.start({ ...options, dantes: [] }, ENCTYPES[0]);
    try {
      const costs: Cost[] = [];
      for (const direction of DIRECTIONS) {
        for (const client of installed("nc") !== undefined ? [NC, ...GSSOCKS] : GSSOCKS)
          costs.push(await best(lab, client, direction, options));
      }
      return costs.map((cost) => rowOf(cost, costs));
    } finally {
      await lab.stop();
    }
  },
};

function rowOf({ client: { name, level }, direction, speed, server, own }: Cost, costs: Cost[]): Row {
  const none = costs.find((cost) => cost.client.level === "none" && cost.direction === direction);
  const both = server + own;
  return {
    work: `${name} ${level} ${direction}`,
    figures: {
      "MB/s": speed,
      "server s/GB": server,
      "client s/GB": own,
      "both s/GB": both,
      "× none": name === "nc" || none === undefined ? null : ratio(both, none.server + none.own),
    },
  };
}

async function best(
  lab: Lab,
  client: Client,
  direction: Direction,
  { scale, progress }: Options,
): Promise<Cost> {
  const runs: Omit<Cost, "client" | "direction">[] = [];
  for (let repeat = 0; repeat < scale.repeats; repeat += 1) {
    const load = await lab.join(direction, scale.clearBytes, client.level, client.command);
    try {
      const { result, server } = await lab.meter(lab.gssocks, () => {
        load.begin();
        return load.result();
      });
      const { bytes = 0, seconds = 0, command = 0 } = result;
      runs.push({
        speed: bytes / 1e6 / seconds,
        server: (server / bytes) * GB,
        own: (command / bytes) * GB,
      });
    } finally {
      await load.stop();
    }
  }
  progress(`own: ${client.name} ${client.level} ${direction}`);
  return {
    client,
    direction,
    speed: Math.max(...runs.map(({ speed }) => speed)),
    server: Math.min(...runs.map(({ server }) => server)),
    own: Math.min(...runs.map(({ own }) => own)),
  };
}
