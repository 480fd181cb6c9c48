/** What `gssocks forward` puts in the place of what its configuration leaves out. */
import { type NoProxy, parseNoProxy } from "../policy/no-proxy.js";
import { noProxy } from "./fields.js";
import { type Problem, parseConfig } from "./load.js";
import { issueMessage } from "./problems.js";
import { type Routing, routed } from "./routing.js";
import type { Config } from "./schema.js";

export interface ForwarderPreset {
  /** Of `control`; null: none. */
  socket: string | null;
  logLevel: string;
}

export const FORWARDER_ADDRESS = "127.0.0.1:1081";

const NOTHING = parseNoProxy("");

const LISTENER = {
  methods: ["none"],
  http: true,
  // Other systems don't tell whose a client is.
  ...(process.platform === "linux" ? { owners: ["self"] } : {}),
};

/**
 * A configuration of `serve` whose listeners are for the programs of one user, and whose rules, where it has none, lead
 * everything to its first upstream, but what its keys `direct` and `refuse` list.
 * @throws ConfigError, as {@link parseConfig}
 */
export function parseForwarder(
  source: string,
  file: string,
  preset: ForwarderPreset,
): { config: Config; routing: Routing } {
  let routing = { direct: NOTHING, refuse: NOTHING };
  const config = parseConfig(source, file, (written, problem) => {
    if (!isMapping(written)) return written;
    const { direct, refuse, ...rest } = written;
    routing = { direct: listOf(direct, "direct", problem), refuse: listOf(refuse, "refuse", problem) };
    return completed(rest, routing.direct.entries, preset);
  });
  return { config: { ...config, rules: routed(config.rules, routing) }, routing };
}

function listOf(written: unknown, key: string, problem: Problem): NoProxy {
  if (written === undefined) return NOTHING;
  const { data = NOTHING, error } = noProxy.safeParse(written, { error: issueMessage });
  for (const { path, message } of error?.issues ?? []) problem([key, ...path], message);
  return data;
}

/** What makes no sense is left to the schema. */
function completed(
  written: Mapping,
  direct: readonly string[],
  { socket, logLevel }: ForwarderPreset,
): unknown {
  const { listeners = [{ address: FORWARDER_ADDRESS }], upstreams, rules } = written;
  const [via] = isMapping(upstreams) ? Object.keys(upstreams) : [];
  return {
    networksMatchNames: false,
    log: { level: logLevel },
    ...(socket === null ? {} : { control: { socket } }),
    ...written,
    listeners: Array.isArray(listeners) ? listeners.map((each) => listener(each, direct)) : listeners,
    rules: rules ?? (via === undefined ? [] : everythingBy(via)),
  };
}

function listener(written: unknown, direct: readonly string[]): unknown {
  if (!isMapping(written)) return written;
  const whole: Mapping = { ...LISTENER, ...written };
  const { methods, http, address } = whole;
  return {
    // Who has to show something else can't by SOCKS4.
    ...(Array.isArray(methods) && methods.includes("none") ? { socks4: { identity: "none" } } : {}),
    ...(http === true && !String(address).startsWith("unix:") ? { pac: { direct } } : {}),
    ...whole,
  };
}

/** What is protected is there, not here. */
function everythingBy(via: string): unknown[] {
  return [
    { allow: {}, via },
    { allow: { to: ["protected"] }, via },
  ];
}

type Mapping = Readonly<Record<string, unknown>>;

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
