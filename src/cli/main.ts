#!/usr/bin/env node
/** The `gssocks` command. Exit status: 0 done, 1 failed, 2 bad command line or configuration. */
import { CommanderError, InvalidArgumentError } from "commander";
import { GssocksError } from "../errors.js";
import { tell } from "./output.js";
import { createProgram } from "./program.js";

const FAILED = 1;
const USAGE = 2;

function exitStatus(error: unknown): number {
  // Of a command's own: those that commander has met it makes others of.
  if (error instanceof InvalidArgumentError) tell(`gssocks: ${error.message}\n`);
  // Commander has said what is wrong by itself; it ends --help and --version in this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof GssocksError) tell(`gssocks: ${error.message}\n`);
  else tell(`gssocks: internal error: ${(error as Error)?.stack ?? String(error)}\n`);
  return (error as { code?: unknown }).code === "CONFIG_INVALID" ? USAGE : FAILED;
}

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = exitStatus(error);
  });
