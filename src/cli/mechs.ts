import { Command } from "commander";
import { DEFAULTS } from "../config/defaults.js";
import { FastContext } from "../gss/fast-context.js";
import { toError } from "../gss/gss-error.js";
import { native } from "../gss/native.js";
import { mechanismName, parseMechanism } from "../gss/oids.js";
import { print } from "./output.js";

/** Arcs 1 to 27 below 1.3.6.1.5.5.13 (RFC 5587 §3.1), without GSS_C_MA_. */
const ATTRIBUTES = `
  MECH_CONCRETE MECH_PSEUDO MECH_COMPOSITE MECH_NEGO MECH_GLUE NOT_MECH DEPRECATED NOT_DFLT_MECH ITOK_FRAMED
  AUTH_INIT AUTH_TARG AUTH_INIT_INIT AUTH_TARG_INIT AUTH_INIT_ANON AUTH_TARG_ANON DELEG_CRED INTEG_PROT CONF_PROT
  MIC WRAP PROT_READY REPLAY_DET OOS_DET CBINDINGS PFS COMPRESS CTX_TRANS
`
  .trim()
  .split(/\s+/);
const ATTRIBUTE_ARC = /^1\.3\.6\.1\.5\.5\.13\.(\d+)$/;

/** gssapi.fastPath; the first is what is preferred. */
const FAST_PATH = "Fast path for krb5 with AES";

interface Mechanism {
  /** What gssapi.mechanisms takes for it: a short name, else the OID. */
  name: string;
  oid: string;
  /** The library's words for it; empty where it has none. */
  description: string;
  /** Whether messages can be protected so (RFC 1961 §4); null: by the mechanism that it negotiates. */
  integrity: boolean | null;
  confidentiality: boolean | null;
  /** In the list that holds where the configuration has none. */
  default: boolean;
  /** RFC 5587; an OID where it is not of that list. */
  attributes: string[];
}

/** `gssocks mechs`: what the GSS-API library offers here, its plugins included. */
export function mechsCommand(): Command {
  return new Command("mechs")
    .description("list the mechanisms that the GSS-API library offers, and what they can do")
    .option("--json", "as a JSON array", false)
    .action(({ json }: { json: boolean }) => {
      const list = mechanisms();
      print(json ? `${JSON.stringify(list, null, 2)}\n` : table(list));
    });
}

function mechanisms(): Mechanism[] {
  const defaults = DEFAULTS.mechanisms.map(parseMechanism);
  return ask(() => native.indicateMechs(), []).map((oid) => {
    const attributes = ask(() => native.inquireAttrsForMech(oid).attributes, []).map(attributeName);
    const negotiates = attributes.includes("MECH_NEGO");
    const can = (protection: string) =>
      negotiates ? null : attributes.includes("WRAP") && attributes.includes(protection);
    return {
      name: mechanismName(oid),
      oid,
      description: ask(() => native.inquireSaslnameForMech(oid).description, ""),
      integrity: can("INTEG_PROT"),
      confidentiality: can("CONF_PROT"),
      default: defaults.includes(oid),
      attributes,
    };
  });
}

/** A plugin need not have every call: then it has nothing to say. */
function ask<T>(call: () => T, otherwise: T): T {
  try {
    return call();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_GSS") throw toError(error);
    return otherwise;
  }
}

function attributeName(oid: string): string {
  return ATTRIBUTES[Number(ATTRIBUTE_ARC.exec(oid)?.[1]) - 1] ?? oid;
}

function table(list: readonly Mechanism[]): string {
  const yesNo = (can: boolean | null) => (can === null ? "negotiated" : can ? "yes" : "no");
  const rows = [
    ["NAME", "OID", "INTEGRITY", "CONFIDENTIALITY", "DEFAULT", "ATTRIBUTES"],
    ...list.map((each) => [
      each.name,
      each.oid,
      yesNo(each.integrity),
      yesNo(each.confidentiality),
      yesNo(each.default),
      each.attributes.join(" "),
    ]),
  ];
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n\n${FAST_PATH}: ${FastContext.engines().join(", ") || "none"}\n`;
}
