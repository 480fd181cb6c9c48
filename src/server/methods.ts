import { type IpNetwork, parseIp } from "../policy/ip-network.js";
import { METHOD } from "../protocol/constants.js";

/** METHODs as the configuration names them. `certificate`: METHOD 0x00, the TLS client certificate says who it is. */
export type MethodName = "certificate" | "gssapi" | "password" | "none";

export interface MethodPolicy {
  /** In the server's order. */
  methods: readonly MethodName[];
  /** For clients of these networks, instead of `methods`; the first that holds the client counts. */
  sources: readonly { from: readonly IpNetwork[]; methods: readonly MethodName[] }[];
}

/** Those that some client may choose. */
export function methodsOf({ methods, sources }: MethodPolicy): MethodName[] {
  return [...methods, ...sources.flatMap((source) => source.methods)];
}

const NUMBERS: Readonly<Record<MethodName, number>> = {
  certificate: METHOD.NO_AUTHENTICATION,
  gssapi: METHOD.GSSAPI,
  password: METHOD.USERNAME_PASSWORD,
  none: METHOD.NO_AUTHENTICATION,
};

/**
 * What a client may choose from, in the server's order.
 * @param certified whether its TLS certificate was verified
 */
export function methodsFor(
  policy: MethodPolicy,
  source: string,
  certified: boolean,
): Map<number, MethodName> {
  const special = policy.sources.length > 0 ? specialFor(policy, source) : undefined;
  const methods = new Map<number, MethodName>();
  for (const name of (special ?? policy).methods) {
    const number = NUMBERS[name];
    if ((name !== "certificate" || certified) && !methods.has(number)) methods.set(number, name);
  }
  return methods;
}

function specialFor({ sources }: MethodPolicy, source: string): MethodPolicy["sources"][number] | undefined {
  const address = parseIp(source);
  return sources.find(({ from }) => from.some((network) => address !== null && network.contains(address)));
}
