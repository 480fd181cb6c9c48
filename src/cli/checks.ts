/** What of a configuration can be wrong though the file is right: what it names is not there, or does not fit. */
import { X509Certificate } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { openGroupSources } from "../auth/group-sources.js";
import { ownTicket } from "../auth/impersonators.js";
import type { Config, ListenerConfig } from "../config/schema.js";
import { actsForClients } from "../config/upstreams.js";
import { Credential } from "../gss/credential.js";
import { importService, type Name } from "../gss/name.js";
import { isKerberos } from "../gss/oids.js";
import { shadowed } from "../policy/coverage.js";
import { Listener, type ListenerAddress } from "../server/listener.js";
import { TlsAcceptor } from "../server/tls-acceptor.js";
import { keytabFor, passwordsOf } from "./server-options.js";

export interface Finding {
  /** A server would not start, or not as it is meant; else it is worth a look. */
  readonly isError: boolean;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Check = (config: Config) => Promise<Finding[]> | Finding[];

/** A month, in ms: time to renew a certificate in. */
const SOON = 30 * 24 * 3600 * 1000;

/** In the order of the file. */
export async function checkAround(config: Config): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const check of CHECKS) found.push(...(await check(config)));
  return found;
}

const CHECKS: readonly Check[] = [
  checkListeners,
  checkKeytab,
  checkOwnTickets,
  checkPasswords,
  checkGroups,
  checkRules,
  checkIdentd,
  checkMetrics,
];

async function checkListeners({ listeners }: Config): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [index, listener] of listeners.entries()) {
    const at = ["listeners", index];
    found.push(...(await failing([...at, "address"], () => bindOnce(listener), isInUse)));
    if (listener.tls !== null) found.push(...(await checkTls([...at, "tls"], listener.tls)));
  }
  return found;
}

async function bindOnce(address: ListenerAddress): Promise<void> {
  // It is systemd that opens those, for the server alone.
  if ("systemd" in address) return;
  (await Listener.open(address, (socket) => socket.destroy())).close();
}

/** By a server that runs already, most likely. */
function isInUse(error: Error): boolean {
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";
}

async function checkTls(at: PropertyKey[], tls: NonNullable<ListenerConfig["tls"]>): Promise<Finding[]> {
  const found = await failing(at, () => new TlsAcceptor(tls, () => {}).close());
  const { clientAuthorities } = tls;
  if (clientAuthorities !== undefined) {
    const authorities = () => void new X509Certificate(readFileSync(clientAuthorities));
    found.push(...(await failing([...at, "clientAuthorities"], authorities)));
  }
  if (found.length > 0) return found;
  const { validFrom, validTo } = new X509Certificate(readFileSync(tls.certificate));
  const left = Date.parse(validTo) - Date.now();
  const say = (message: string) => [{ isError: false, path: [...at, "certificate"], message }];
  if (left <= 0) return say(`the certificate has expired: ${validTo}`);
  if (Date.parse(validFrom) > Date.now()) return say(`the certificate is not valid before ${validFrom}`);
  return left < SOON ? say(`the certificate expires soon: ${validTo}`) : [];
}

async function checkKeytab({ gssapi, listeners }: Config): Promise<Finding[]> {
  const methods = listeners.flatMap(({ methods, sources }) => [
    ...methods,
    ...sources.flatMap((each) => each.methods),
  ]);
  if (!methods.includes("gssapi")) return [];
  const at = ["gssapi", "keytab"];
  const keytab = keytabFor(gssapi.mechanisms, gssapi.keytab);
  const found = await failing(at, async () => {
    (await Credential.acceptor({ keytab, mechanisms: gssapi.mechanisms })).close();
  });
  if (found.length > 0 || !gssapi.mechanisms.some(isKerberos)) return found;
  if (gssapi.targetNames !== null) {
    for (const [index, name] of gssapi.targetNames.entries())
      found.push(...(await failing(["gssapi", "targetNames", index], () => acquire(keytab, name))));
    return found;
  }
  const names = ["rcmd", "socks"].map((service) => `${service}@${hostname()}`);
  const missing = await Promise.all(names.map((name) => failing(at, () => acquire(keytab, name))));
  if (missing.some((failures) => failures.length === 0)) return [];
  const message = `the keytab has no key for ${names.join(" or ")}, which clients ask for where they know the proxy by that name`;
  return [{ isError: false, path: at, message }];
}

async function acquire<Keytab extends string | undefined>(
  keytab: Keytab,
  text: string,
  how: (keytab: Keytab, name: Name) => Promise<Credential> = (keytab, name) =>
    Credential.acceptor({ keytab, name }),
): Promise<void> {
  const name = importService(text);
  try {
    (await how(keytab, name)).close();
  } finally {
    name.close();
  }
}

/** With which we would act in clients' place, as what they may come to. The KDC may be one that answers later. */
async function checkOwnTickets({ gssapi, upstreams }: Config): Promise<Finding[]> {
  const { keytab } = gssapi;
  if (keytab === null || !actsForClients(upstreams)) return [];
  const names = gssapi.targetNames ?? ["rcmd", "socks", "HTTP"].map((service) => `${service}@${hostname()}`);
  const attempts = names.map((name) =>
    acquire(keytab, name).then(
      () =>
        failing(
          ["upstreams"],
          () => acquire(keytab, name, ownTicket),
          () => true,
        ),
      // What is not in the keytab is told of there.
      () => [],
    ),
  );
  return (await Promise.all(attempts)).flat();
}

async function checkPasswords(config: Config): Promise<Finding[]> {
  const warnings: Finding[] = [];
  const path = ["passwords"];
  const open = passwordsOf(config, (event) => {
    if (event.type === "warning") warnings.push({ isError: false, path, message: event.reason });
  });
  if (open === null) return [];
  const failures = await failing(path, async () => (await open()).close());
  return [...failures, ...warnings];
}

async function checkGroups({ groups }: Config): Promise<Finding[]> {
  if (groups === null) return [];
  return failing(["groups", "file"], async () => void (await openGroupSources(groups)));
}

function checkRules({ rules, listeners }: Config): Finding[] {
  const found = shadowed(rules, new Set(listeners.flatMap((at) => ("host" in at ? [at.port] : []))));
  return found.map(({ rule, by }) => ({
    isError: false,
    path: ["rules", rule - 1],
    message: `rule ${rule} can never match: rule ${by} matches whatever it would, ${rules[by - 1]?.text}`,
  }));
}

async function checkIdentd({ identd }: Config): Promise<Finding[]> {
  if (identd === null) return [];
  const directory = path.dirname(identd.socket);
  return failing(["identd", "socket"], () => accessSync(directory, constants.W_OK | constants.X_OK));
}

async function checkMetrics({ metrics }: Config): Promise<Finding[]> {
  if (metrics === null) return [];
  return failing(["metrics", "address"], () => bindOnce(metrics), isInUse);
}

/** @param isHarmless tells failures that are worth a warning alone */
async function failing(
  path: PropertyKey[],
  attempt: () => Promise<void> | void,
  isHarmless: (error: Error) => boolean = () => false,
): Promise<Finding[]> {
  try {
    await attempt();
    return [];
  } catch (error) {
    return [{ isError: !isHarmless(error as Error), path, message: (error as Error).message }];
  }
}
