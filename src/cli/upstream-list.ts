import { setTimeout as wait } from "node:timers/promises";
import { type Command, Option } from "commander";
import { askedSocket, type ControlOptions, controlCommand } from "./control-path.js";
import { print } from "./output.js";
import { BETWEEN_VIEWS, Screen } from "./screen.js";
import { jsonLine } from "./terminal-text.js";
import { lookAtUpstreams, VERDICTS, verdictOn } from "./upstream-look.js";
import { upstreamTables } from "./upstream-table.js";

interface UpstreamsOptions extends ControlOptions {
  json?: boolean;
  watch?: boolean;
}

/** `gssocks upstreams`: which other proxies can be used, with which ticket, and why not. */
export function upstreamsCommand(): Command {
  return controlCommand("upstreams")
    .description("list the upstreams' proxies and tickets, and why they can't be used")
    .addOption(new Option("--json", "one JSON object a line").conflicts("watch"))
    .option("--watch", "again every two seconds")
    .addHelpText("after", `\nExit status: ${VERDICTS}.`)
    .action(async ({ json, watch = false, ...options }: UpstreamsOptions) => {
      const path = askedSocket(options);
      const screen = new Screen(watch);
      try {
        do {
          const { upstreams } = await lookAtUpstreams(path);
          process.exitCode = verdictOn(upstreams);
          if (json) for (const upstream of upstreams) print(jsonLine(upstream));
          else screen.show(upstreamTables(upstreams));
          if (watch) await wait(BETWEEN_VIEWS);
        } while (watch);
      } finally {
        screen.close();
      }
    });
}
