/** The `metrics` part of the configuration file. */
import * as z from "zod";
import { isThisHost, parseHost } from "../protocol/address.js";
import { DEFAULTS } from "./defaults.js";
import { text } from "./fields.js";
import { parseListenAddress } from "./values.js";

/** Whoever gets there may read: other hosts only where the file says so in so many words. */
export const metrics = z
  .strictObject({
    address: text("an IP address and a port, as 127.0.0.1:9464", parseListenAddress)
      .describe("Where /metrics, /healthz and /readyz are")
      .prefault(DEFAULTS.metricsAddress),
    remote: z
      .boolean()
      .default(false)
      .describe("The address may be one that other hosts reach; nothing protects the metrics"),
  })
  .describe("Where Prometheus reads what the server does; without it, nowhere")
  .refine(({ address, remote }) => remote || isThisHost(parseHost(address.host)), {
    path: ["address"],
    error:
      "other hosts could read the metrics, which nothing protects: listen on loopback, or say remote: true",
  })
  .transform(({ address }) => address);
