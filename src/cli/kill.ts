import type { Command } from "commander";
import { askServer, ControlError } from "../control/control-client.js";
import { askedSocket, type ControlOptions, controlCommand } from "./control-path.js";
import { print } from "./output.js";

interface KillOptions extends ControlOptions {
  user?: string;
}

/** `gssocks kill`: ends open sessions; exit status 1 where one of them is not there. */
export function killCommand(): Command {
  const command = controlCommand("kill")
    .description("end open sessions, as `gssocks sessions` lists them")
    .argument("[id...]", "sessions")
    .option("-u, --user <principal>", "all sessions of this one, as alice@EXAMPLE.TEST");
  return command.action(async (ids: string[], { user, ...options }: KillOptions) => {
    if ((user === undefined) === (ids.length === 0)) command.error("error: name either sessions or --user");
    const ended = new Set<string>();
    const request = user === undefined ? { sessions: ids } : { user };
    await askServer(askedSocket(options), { ask: "kill", ...request }, (item) => {
      if (!("ended" in item)) return;
      ended.add(item.ended);
      print(`ended ${item.ended}\n`);
    });
    if (user !== undefined && ended.size === 0)
      throw new ControlError("NO_SESSION", `${user} has no session`);
    const missing = ids.filter((id) => !ended.has(id));
    if (missing.length > 0) throw new ControlError("NO_SESSION", `no such session: ${missing.join(", ")}`);
  });
}
