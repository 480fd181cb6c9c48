/** What sessions may take: in all, from one source address and of one user. */
import * as z from "zod";
import type { Allowance } from "../policy/terms.js";
import { DEFAULTS } from "./defaults.js";
import { count, octets, rate } from "./fields.js";

export interface SessionLimits extends Allowance {
  readonly perSource: Allowance;
  readonly perUser: Allowance;
}

const allowance = {
  sessionsPerMinute: count.optional(),
  bytesPerDay: octets.optional(),
  bandwidth: z
    .strictObject({ up: rate.optional(), down: rate.optional() })
    .refine(({ up, down }) => up !== undefined || down !== undefined, { error: "expected up, down or both" })
    .optional(),
};

interface Given {
  sessions?: number | undefined;
  sessionsPerMinute?: number | undefined;
  bytesPerDay?: number | undefined;
  bandwidth?: { up?: number | undefined; down?: number | undefined } | undefined;
}

function complete({ sessions, sessionsPerMinute, bytesPerDay, bandwidth }: Given): Allowance {
  return {
    sessions: sessions ?? null,
    sessionsPerMinute: sessionsPerMinute ?? null,
    bytesPerDay: bytesPerDay ?? null,
    bandwidth: bandwidth === undefined ? null : { up: bandwidth.up ?? null, down: bandwidth.down ?? null },
  };
}

/** Of those who share something. */
export const sharedLimits = z.strictObject({ sessions: count.optional(), ...allowance }).transform(complete);

export const limits = z
  .strictObject({
    sessions: count.default(DEFAULTS.sessions),
    ...allowance,
    perSource: z
      .strictObject({ sessions: count.default(DEFAULTS.sessionsPerSource), ...allowance })
      .transform(complete)
      .prefault({}),
    perUser: sharedLimits.prefault({}),
  })
  .transform(({ perSource, perUser, ...all }) => ({ ...complete(all), perSource, perUser }));
