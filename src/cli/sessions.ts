import { type Command, Option } from "commander";
import { askedSocket, type ControlOptions, controlCommand } from "./control-path.js";
import { print } from "./output.js";
import { ratedSessions } from "./rated-sessions.js";
import { Screen } from "./screen.js";
import { sessionTable } from "./session-table.js";
import { jsonLine } from "./terminal-text.js";

interface SessionsOptions extends ControlOptions {
  json?: boolean;
  user?: string;
  watch?: boolean;
}

/** `gssocks sessions`: who is connected, where to, and how much is carried. */
export function sessionsCommand(): Command {
  return controlCommand("sessions")
    .description("list open sessions, with rates over the last second")
    .option("-u, --user <pattern>", "of these alone, as alice@EXAMPLE.TEST or *@EXAMPLE.TEST")
    .addOption(new Option("--json", "one JSON object a line").conflicts("watch"))
    .option("--watch", "again every two seconds")
    .action(async ({ json, user, watch, ...options }: SessionsOptions) => {
      const screen = new Screen(watch ?? false);
      try {
        for await (const sessions of ratedSessions(askedSocket(options), { user, watch })) {
          if (json) for (const session of sessions) print(jsonLine(session));
          else screen.show(sessionTable(sessions));
        }
      } finally {
        screen.close();
      }
    });
}
