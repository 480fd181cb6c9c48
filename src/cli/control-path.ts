/** Where the control socket is: what the configuration says, else in the directory that systemd has made for us. */
import path from "node:path";
import { Command } from "commander";
import { controlSocketIn } from "../config/control.js";
import { readConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";

/** Where `RuntimeDirectory=gssocks` has it, for those whom systemd has not told. */
const USUAL_SOCKET = "/run/gssocks/control";

export interface ControlOptions {
  config?: string;
  socket?: string;
}

/** The server's; null: it has none. */
export function servedSocket({ control }: Pick<Config, "control">): string | null {
  return control?.socket ?? socketOfSystemd();
}

/** A command that asks the server. */
export function controlCommand(name: string): Command {
  return new Command(name)
    .option("-c, --config <file>", "the server's configuration, whose `control.socket` is asked")
    .option("-s, --socket <path>", `the socket itself (default: ${USUAL_SOCKET})`);
}

/** @throws ConfigError where the file can't be read */
export function askedSocket({ config, socket }: ControlOptions): string {
  const configured = config === undefined ? null : controlSocketIn(readConfig(config));
  return socket ?? configured ?? socketOfSystemd() ?? USUAL_SOCKET;
}

function socketOfSystemd(): string | null {
  // The first, where there are several (systemd.exec(5)).
  const [directory = ""] = (process.env.RUNTIME_DIRECTORY ?? "").split(":");
  return directory === "" ? null : path.join(directory, "control");
}
