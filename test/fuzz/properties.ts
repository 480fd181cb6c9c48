/** The fuzz targets by name. */
import fc from "fast-check";
import { fuzzCodecs } from "./codec-target.js";
import { corpus } from "./corpus.js";
import { clientOptions, fuzzClient, fuzzServer, serverOptions } from "./machine-targets.js";
import { cuts, mutated } from "./mutations.js";
import { fuzzUdpDatagram } from "./udp-datagram-target.js";

const forServer = corpus("server");
const forClient = corpus("client");
const ident = corpus("ident");

export const PROPERTIES: Readonly<Record<string, fc.IProperty<unknown>>> = {
  "server-machine": fc.property(serverOptions, mutated(forServer), cuts, fuzzServer) as fc.IProperty<unknown>,
  "client-machine": fc.property(clientOptions, mutated(forClient), cuts, fuzzClient) as fc.IProperty<unknown>,
  codecs: fc.property(mutated([...forServer, ...forClient, ...ident]), fuzzCodecs) as fc.IProperty<unknown>,
  "udp-datagram": fc.property(mutated(corpus("datagram")), fuzzUdpDatagram) as fc.IProperty<unknown>,
};
