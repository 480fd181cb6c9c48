/** `audit`: where its records go, and what is done while they can't. */
import * as z from "zod";
import { DEFAULTS } from "./defaults.js";
import { count, file, text } from "./fields.js";
import { DURATION, parseDuration, parseSocketPath, parseSyslogAddress } from "./values.js";

/** RFC 5424 §6.2.1, those that records of access may have. */
const FACILITIES = {
  user: 1,
  daemon: 3,
  auth: 4,
  authpriv: 10,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

type Facility = keyof typeof FACILITIES;

const fsync = text(`never, always or ${DURATION}`, (value): "never" | "always" | number =>
  value === "never" || value === "always" ? value : parseDuration(value, 1),
);

const syslog = z.strictObject({
  address: text("/dev/log, udp://IP:PORT or tcp://IP:PORT", parseSyslogAddress)
    .describe("Where the syslog server listens")
    .prefault(DEFAULTS.syslogAddress),
  facility: z
    .enum(Object.keys(FACILITIES) as [Facility, ...Facility[]])
    .describe("RFC 5424 §6.2.1")
    .default("authpriv"),
});

const journald = z.strictObject({
  socket: text("an absolute path", parseSocketPath)
    .describe("The journal's socket")
    .prefault(DEFAULTS.journaldSocket),
});

const transport = z.strictObject({
  target: z.string().min(1).describe("The module's name, where gssocks can find it, or its absolute path"),
  options: z.record(z.string(), z.unknown()).default({}).describe("What the module's own documentation has"),
});

const fields = z.strictObject({
  file: file.describe("A file of their own, a JSON object a line").optional(),
  fsync: fsync
    .describe(
      "When file is synced: never; always, before anybody passes; or so long after a record was written (1s where it is not said)",
    )
    .optional(),
  syslog: syslog.describe("To a syslog server").optional(),
  journald: journald.describe("To the journal of systemd; {} will do").optional(),
  transport: transport.describe("Through a transport of pino's").optional(),
  onFull: z
    .enum(["block", "drop"])
    .default(DEFAULTS.auditOnFull)
    .describe(
      "While records can't be written: block, nobody is let in; drop, records that find no room are counted and lost",
    ),
  queue: count.default(DEFAULTS.auditQueue).describe("Records that may wait to be written"),
});

export const audit = fields
  .describe("Where the audit records go, to one place alone; without one, to the log")
  .superRefine(({ file, fsync, syslog, journald, transport }, context) => {
    const given = Object.entries({ file, syslog, journald, transport }).filter(([, to]) => to !== undefined);
    for (const [key] of given.slice(1)) {
      const message = `the records go to one place only, and ${given[0]?.[0]} is given too`;
      context.addIssue({ code: "custom", path: [key], message });
    }
    if (fsync !== undefined && file === undefined)
      context.addIssue({ code: "custom", path: ["fsync"], message: "of no use without file" });
  })
  .transform(({ onFull, queue, ...places }) => ({ target: targetOf(places), onFull, queue }));

function targetOf(
  places: Pick<z.output<typeof fields>, "file" | "fsync" | "syslog" | "journald" | "transport">,
) {
  const { file, fsync, syslog, journald, transport } = places;
  if (file !== undefined) return { to: "file", path: file, fsync: fsync ?? DEFAULTS.auditFsync } as const;
  if (syslog !== undefined)
    return { to: "syslog", address: syslog.address, facility: FACILITIES[syslog.facility] } as const;
  if (journald !== undefined) return { to: "journald", ...journald } as const;
  if (transport !== undefined) return { to: "transport", ...transport } as const;
  return { to: "log" } as const;
}
