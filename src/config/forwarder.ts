/** What `gssocks forward` puts in the place of what its configuration leaves out. */

export interface ForwarderPreset {
  /** Of `control`; null: none. */
  socket: string | null;
  logLevel: string;
}

const LISTENER = {
  methods: ["none"],
  socks4: { identity: "none" },
  http: true,
  // Other systems don't tell whose a client is.
  ...(process.platform === "linux" ? { owners: ["self"] } : {}),
};

/**
 * A configuration of `serve` whose listeners are for the programs of one user, and whose rules, where it has none, lead
 * everything to its first upstream.
 * @param written anything: what it can't make sense of it leaves to the schema
 */
export function forwarderConfig(written: unknown, { socket, logLevel }: ForwarderPreset): unknown {
  if (!isMapping(written)) return written;
  const { listeners = [{ address: "127.0.0.1:1081" }], upstreams, rules } = written;
  const [via] = isMapping(upstreams) ? Object.keys(upstreams) : [];
  return {
    networksMatchNames: false,
    log: { level: logLevel },
    ...(socket === null ? {} : { control: { socket } }),
    ...written,
    listeners: Array.isArray(listeners) ? listeners.map(completed) : listeners,
    rules: rules ?? (via === undefined ? [] : everythingBy(via)),
  };
}

function completed(listener: unknown): unknown {
  return isMapping(listener) ? { ...LISTENER, ...listener } : listener;
}

/** What is protected is there, not here. */
function everythingBy(via: string): unknown[] {
  return [
    { allow: {}, via },
    { allow: { to: ["protected"] }, via },
  ];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
