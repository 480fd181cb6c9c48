/** How long sources are kept out that do what honest clients don't. */
import * as z from "zod";
import { IpNetwork } from "../policy/ip-network.js";
import { DEFAULTS } from "./defaults.js";
import { duration, text } from "./fields.js";

const network = text("an address or a network", (value) => IpNetwork.parse(value));

export const penalties = z
  .strictObject({
    failedAuthentication: duration(0)
      .describe("For a wrong password, or a token that is forged or was sent before")
      .prefault(DEFAULTS.failedAuthentication),
    handshakeTimeout: duration(0)
      .describe("For no request within timeouts.handshake")
      .prefault(DEFAULTS.handshakeTimeout),
    protocolError: duration(0).describe("For what is no SOCKS").prefault(DEFAULTS.protocolError),
    least: duration(1).describe("A source with less is let in").prefault(DEFAULTS.leastPenalty),
    most: duration(1).describe("Nobody is kept out for longer").prefault(DEFAULTS.mostPenalty),
    exempt: z
      .array(network)
      .describe("Addresses and networks without penalties")
      .prefault([...DEFAULTS.exempt]),
  })
  .describe("How long sources are kept out that do what honest clients don't; 0s switches a kind off")
  .refine(({ least, most }) => least <= most, { error: "`least` is more than `most`" });
