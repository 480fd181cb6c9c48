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
  sessionsPerMinute: count.describe("Sessions opened in a minute; without it, no limit").optional(),
  bytesPerDay: octets
    .describe("What they carry in a day, both ways together; without it, no limit")
    .optional(),
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
export const sharedLimits = z
  .strictObject({
    sessions: count.describe("Sessions at once; without it, no limit").optional(),
    ...allowance,
  })
  .transform(complete);

export const limits = z
  .strictObject({
    sessions: count.default(DEFAULTS.sessions).describe("Sessions at once"),
    ...allowance,
    perSource: z
      .strictObject({
        sessions: count.default(DEFAULTS.sessionsPerSource).describe("Sessions at once"),
        ...allowance,
      })
      .transform(complete)
      .describe("The same, for all sessions from one source address")
      .prefault({}),
    perUser: sharedLimits
      .describe("The same, for all sessions of one user whose name was proven")
      .prefault({}),
  })
  .describe("What sessions may take; each has to find room within all of them")
  .transform(({ perSource, perUser, ...all }) => ({ ...complete(all), perSource, perUser }));
