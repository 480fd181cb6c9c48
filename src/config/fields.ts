/** Kinds of values that several parts of the schema share. */
import * as z from "zod";
import { UsageError } from "../errors.js";
import { parseNoProxy } from "../policy/no-proxy.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { describe } from "./problems.js";
import { DURATION, parseDuration, parseOctets, parsePath, parsePortRange, parseRate } from "./values.js";

/** What editors are told of a text: all that `parse` takes must match it, so it may be wider. */
interface Shape {
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

const MOST_WORKERS = 256;

/** Text that `parse` makes something of; what `parse` throws becomes the problem. */
export function text<T>(expected: string, parse: (text: string) => T, shape: Shape = {}) {
  return z
    .string({ error: ({ input }) => describe(expected, input) })
    .meta({ expected, ...shape })
    .transform((value, context): T => {
      try {
        return parse(value);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        context.addIssue({ code: "custom", message: error.message });
        return z.NEVER;
      }
    });
}

/** A list with at least one entry and none twice. */
export function distinct<T extends z.ZodType>(entry: T, emptyMeans: string) {
  return z
    .array(entry)
    .min(1, { error: `the list is empty; ${emptyMeans}` })
    .meta({ uniqueItems: true })
    .superRefine((list, context) => {
      const seen = list.map((each) => JSON.stringify(each));
      for (const [index, each] of seen.entries()) {
        if (seen.indexOf(each) < index)
          context.addIssue({ code: "custom", path: [index], message: `${each} is listed twice` });
      }
    });
}

export const duration = (least: number) =>
  text(DURATION, (value) => parseDuration(value, least), { pattern: "^\\d+(ms|s|m|h|d)$" });

export const durationOrNever = text(
  `${DURATION}, or "never"`,
  (value) => (value === "never" ? null : parseDuration(value, 1)),
  { pattern: "^(\\d+(ms|s|m|h|d)|never)$" },
);

export const rate = text("a rate, as 10Mbit/s or 2MB/s", parseRate);

/** Each way; one of them at least. */
export const bandwidth = z
  .strictObject({
    up: rate.describe("From clients, at most so much a second").optional(),
    down: rate.describe("To clients, at most so much a second").optional(),
  })
  .refine(({ up, down }) => up !== undefined || down !== undefined, { error: "expected up, down or both" })
  .describe("What is carried at most each way; datagrams beyond it are dropped")
  .transform(({ up, down }) => ({ up: up ?? null, down: down ?? null }));

/** A list of entries as no_proxy's. */
export const noProxy = z
  .array(text("a name, a network, <local> or *", parseNoProxyEntry))
  .transform((entries) => parseNoProxy(entries.join(",")));

function parseNoProxyEntry(entry: string): string {
  parseNoProxy(entry);
  return entry;
}

export const octets = text("a number of bytes, as 500MB or 20GB", parseOctets);

export const count = z.int().min(1).max(1_000_000);

/** Processes; more would share the sockets worse than they share the work. */
export const workers = z.union([z.int().min(1).max(MOST_WORKERS), z.literal("auto")], {
  error: ({ input }) => describe(`a whole number from 1 to ${MOST_WORKERS}, or auto`, input),
});

/** The name of a file, for another program to open. */
export const file = text("an absolute path", parsePath, { pattern: "^/" });

export const portRange = text("a range of ports, as 40000-40999", parsePortRange, {
  pattern: "^\\d+-\\d+$",
});

const LEVELS: readonly AgreedLevel[] = ["confidentiality", "integrity", "none"];

export const level = text(`one of ${LEVELS.join(", ")}`, parseLevel, { enum: LEVELS });

function parseLevel(value: string): AgreedLevel {
  const found = LEVELS.find((each) => each === value);
  if (found !== undefined) return found;
  const hint =
    value === "selective"
      ? " (which only clients offer: a server answers it with one of its own levels)"
      : "";
  throw new UsageError(
    "BAD_VALUE",
    `expected one of ${LEVELS.join(", ")}, found ${JSON.stringify(value)}${hint}`,
  );
}

export const protectionLevels = distinct(level, "name at least one level").describe(
  "The levels that may be agreed on (RFC 1961), best first; none leaves requests and data in clear",
);
