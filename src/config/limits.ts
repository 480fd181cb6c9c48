/** What sessions may take: in all, from one source address and of one user. */
import * as z from "zod";
import type { Allowance, Bandwidth } from "../policy/terms.js";
import { DEFAULTS } from "./defaults.js";
import { bandwidth, count, octets } from "./fields.js";

export interface SessionLimits extends Allowance {
  readonly perSource: Allowance;
  readonly perUser: Allowance;
}

const allowance = {
  sessionsPerMinute: count.optional(),
  bytesPerDay: octets.optional(),
  bandwidth: bandwidth.optional(),
};

interface Given {
  sessions?: number | undefined;
  sessionsPerMinute?: number | undefined;
  bytesPerDay?: number | undefined;
  bandwidth?: Bandwidth | undefined;
}

function complete({ sessions, sessionsPerMinute, bytesPerDay, bandwidth }: Given): Allowance {
  return {
    sessions: sessions ?? null,
    sessionsPerMinute: sessionsPerMinute ?? null,
    bytesPerDay: bytesPerDay ?? null,
    bandwidth: bandwidth ?? null,
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
