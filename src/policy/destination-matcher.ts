/** A rule's `to`, and what holds where it is left out. */
import { isLocalName } from "./destination-name.js";
import type { DestinationPattern } from "./destination-pattern.js";
import type { Destination } from "./facts.js";
import { listText, type Match, type Matcher, NO, type Reading, UNKNOWN, yes } from "./matcher.js";
import { isIn, isNamedBy } from "./protected-destinations.js";

/** The destination matches one of `entries`. To deny, any match counts; to allow a protected one, it must be named. */
export function toMatcher(entries: readonly DestinationPattern[], { broad }: Reading): Matcher {
  const rows = entries.map((entry) => ({ entry, yes: yes(entry.text) }));
  return {
    text: listText(
      "to",
      entries.map(({ text }) => text),
    ),
    match: ({ destination }) => {
      let unknown = false;
      for (const row of rows) {
        const is = matchEntry(row.entry, destination, broad);
        if (is === "yes") return row.yes;
        unknown ||= is === "unknown";
      }
      return unknown ? UNKNOWN : NO;
    },
    found: ({ destination }) => show(destination),
  };
}

const EVERY = yes("every destination");

/** A rule without `to`: every destination but the protected ones. */
export const anyDestination: Matcher = {
  text: "",
  match: ({ destination }) => {
    if (destination.ip === null) return UNKNOWN;
    return destination.protection === null ? EVERY : NO;
  },
  found: ({ destination }) => `${show(destination)}: a rule's \`to\` must name it`,
};

/** A rule without `to` that leads to an upstream: what a name's addresses are is not known here, nor does it matter. */
export const anyDestinationElsewhere: Matcher = {
  ...anyDestination,
  match: (facts) => (facts.destination.ip === null ? EVERY : anyDestination.match(facts)),
};

function show({ name, ip, port, protection }: Destination): string {
  const address = ip === null ? "" : ` ${ip}`;
  const what =
    name === null
      ? `the destination is${address}`
      : `the destination is ${name}${ip === null ? "" : ` at${address}`}`;
  return `${what} port ${port}${protection === null ? "" : `, protected (${protection.kind})`}`;
}

function matchEntry(entry: DestinationPattern, destination: Destination, broad: boolean): Match["is"] {
  const { ip, port, protection } = destination;
  if (entry.ports !== null && (port < entry.ports.low || port > entry.ports.high)) return "no";
  if ((entry.kind === "network" || entry.kind === "protected") && ip === null)
    return destination.literal ? "no" : "unknown";
  if (!isSame(entry, destination, broad)) return "no";
  return broad || protection === null || isNamedBy(entry, protection) ? "yes" : "no";
}

function isSame(
  entry: DestinationPattern,
  { name, ip, embedded, protection }: Destination,
  broad: boolean,
): boolean {
  switch (entry.kind) {
    case "network":
      if (ip !== null && entry.network.contains(ip)) return true;
      // A translator must not carry anybody round a deny.
      return broad && embedded !== null && entry.network.contains(embedded);
    case "protected":
      if (protection === null) return false;
      if (entry.of === null || entry.of === protection.kind) return true;
      return broad && ip !== null && entry.of !== "own listener" && isIn(entry.of, ip);
    case "name":
      return name === entry.name;
    case "suffix":
      return name?.endsWith(entry.suffix) ?? false;
    case "local":
      return name !== null && isLocalName(name);
  }
}
