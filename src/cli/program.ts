/** The command line, as a whole: what runs it, `--help`, the man pages and the shells' completions have of it. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { checkCommand } from "./check.js";
import { connectCommand } from "./connect.js";
import { envCommand } from "./env.js";
import { explainCommand } from "./explain.js";
import { forwardCommand } from "./forward.js";
import { identdCommand } from "./identd.js";
import { killCommand } from "./kill.js";
import { mechsCommand } from "./mechs.js";
import { print, tell } from "./output.js";
import { passwdCommand } from "./passwd.js";
import { reloadCommand } from "./reload.js";
import { serveCommand } from "./serve.js";
import { sessionsCommand } from "./sessions.js";
import { upstreamsCommand } from "./upstream-list.js";

/** For who runs a proxy: section 8 of the manual. All others are in section 1. */
export const ADMINISTRATION = "To run a proxy:";

export function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  const program = new Command("gssocks")
    .description("A SOCKS proxy that lets people in with their Kerberos ticket")
    .version(version)
    .addHelpText("after", "\nExit status: 0 done, 1 failed, 2 bad command line or configuration.")
    .configureOutput({ writeOut: print, writeErr: tell })
    .exitOverride();
  const add = (...commands: readonly Command[]) => {
    for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  };
  program.commandsGroup("To go through one:");
  add(forwardCommand(), envCommand(), connectCommand(), mechsCommand());
  program.commandsGroup(ADMINISTRATION);
  add(
    serveCommand(),
    checkCommand(),
    explainCommand(),
    reloadCommand(),
    sessionsCommand(),
    upstreamsCommand(),
    killCommand(),
    identdCommand(),
    passwdCommand(),
  );
  // Of `help` itself.
  program.commandsGroup("Commands:");
  return program;
}
