/** How long sources are kept out that do what honest clients don't. */
import * as z from "zod";
import { IpNetwork } from "../policy/ip-network.js";
import { DEFAULTS } from "./defaults.js";
import { duration, text } from "./fields.js";

const network = text("an address or a network", (value) => IpNetwork.parse(value));

export const penalties = z
  .strictObject({
    failedAuthentication: duration(0).default(DEFAULTS.failedAuthentication),
    handshakeTimeout: duration(0).default(DEFAULTS.handshakeTimeout),
    protocolError: duration(0).default(DEFAULTS.protocolError),
    least: duration(1).default(DEFAULTS.leastPenalty),
    most: duration(1).default(DEFAULTS.mostPenalty),
    exempt: z.array(network).prefault([...DEFAULTS.exempt]),
  })
  .refine(({ least, most }) => least <= most, { error: "`least` is more than `most`" });
