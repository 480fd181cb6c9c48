import type { Command } from "commander";
import { askServer } from "../control/control-client.js";
import { askedSocket, type ControlOptions, controlCommand } from "./control-path.js";
import { print } from "./output.js";

/** `gssocks reload`: has the server take its configuration file as it is now; exit status 2 where that is wrong. */
export function reloadCommand(): Command {
  return controlCommand("reload")
    .description("have a running server take its configuration as it is now")
    .action(async (options: ControlOptions) => {
      const { reload } = await askServer(askedSocket(options), { ask: "reload" });
      const { added = [], removed = [], ended = 0 } = reload ?? {};
      for (const address of added) print(`listening on ${address}\n`);
      for (const address of removed) print(`no longer listening on ${address}\n`);
      print(`reloaded; sessions ended by the new rules: ${ended}\n`);
    });
}
