/**
 * Valid and nearly valid transcripts, `server-*` as a client sends them and `client-*` as a server does; `datagram-*` are
 * relayed datagrams, `ident-*` lines of Ident.
 */
import { readdirSync, readFileSync } from "node:fs";
import { hex } from "../unit/protocol/hex.js";

export interface Transcript {
  name: string;
  octets: Buffer;
}

const folder = new URL("../../../test/fuzz/corpus/", import.meta.url);

export function corpus(receiver: "server" | "client" | "datagram" | "ident"): Transcript[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${receiver}-`) && file.endsWith(".hex"))
    .sort()
    .map((name) => ({ name, octets: hex(readFileSync(new URL(name, folder), "utf8")) }));
}
