import type { Socket } from "node:net";
import { type Carrier, type CarrierOptions, carry } from "../relay/carrier.js";
import type { Command } from "./command.js";

/** Joins the client to the destination that a command has reached, or to the upstream before it. */
export function carryCommand(
  command: Command,
  { client, protection, reply, rest }: Pick<CarrierOptions, "client" | "protection" | "reply" | "rest">,
): Carrier {
  const { destination, through } = command;
  const { idleTimeout, totalTimeout, upRates, downRates } = command.bounds();
  return carry({
    client,
    destination: destination as Socket,
    protection,
    destinationProtection: through?.protection,
    early: through?.early,
    reply,
    rest,
    idleTimeout,
    totalTimeout,
    upRates,
    downRates,
  });
}
