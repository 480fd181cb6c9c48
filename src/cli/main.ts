#!/usr/bin/env node
/** The `gssocks` command. Exit status: 0 done, 1 failed, 2 bad command line or configuration. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { GssocksError } from "../errors.js";
import { checkCommand } from "./check.js";
import { connectCommand } from "./connect.js";
import { explainCommand } from "./explain.js";
import { forwardCommand } from "./forward.js";
import { identdCommand } from "./identd.js";
import { killCommand } from "./kill.js";
import { mechsCommand } from "./mechs.js";
import { passwdCommand } from "./passwd.js";
import { reloadCommand } from "./reload.js";
import { serveCommand } from "./serve.js";
import { sessionsCommand } from "./sessions.js";

const FAILED = 1;
const USAGE = 2;

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  const program = new Command("gssocks")
    .description("A SOCKS proxy that lets people in with their Kerberos ticket")
    .version(version)
    .exitOverride();
  const commands = [
    serveCommand(),
    checkCommand(),
    explainCommand(),
    reloadCommand(),
    sessionsCommand(),
    killCommand(),
    connectCommand(),
    forwardCommand(),
    mechsCommand(),
    identdCommand(),
    passwdCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  await program.parseAsync();
}

function exitStatus(error: unknown): number {
  // Commander has said what is wrong by itself; it ends --help and --version in this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof GssocksError) process.stderr.write(`gssocks: ${error.message}\n`);
  else process.stderr.write(`gssocks: internal error: ${(error as Error)?.stack ?? String(error)}\n`);
  return (error as { code?: unknown }).code === "CONFIG_INVALID" ? USAGE : FAILED;
}

main().catch((error: unknown) => {
  process.exitCode = exitStatus(error);
});
