import { amount, duration } from "./quantities.js";
import type { RatedSession } from "./rated-sessions.js";
import { table } from "./table.js";

const HEAD = [
  "SESSION",
  "STATE",
  "PRINCIPAL",
  "CLIENT",
  "DESTINATION",
  "RULE",
  "LEVEL",
  "AGE",
  "UP",
  "DOWN",
  "UP",
  "DOWN",
];

export function sessionTable(sessions: readonly RatedSession[]): string {
  const rows = sessions.map((each) => [
    each.session,
    each.state,
    each.principal ?? "-",
    each.client,
    each.destination === null ? "-" : `${each.command} ${each.destination}`,
    each.rule === null ? "-" : String(each.rule),
    each.level ?? "-",
    duration(each.age),
    amount(each.bytesUp),
    amount(each.bytesDown),
    `${amount(each.rateUp)}/s`,
    `${amount(each.rateDown)}/s`,
  ]);
  return table(HEAD, rows);
}
