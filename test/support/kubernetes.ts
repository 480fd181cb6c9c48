/**
 * packaging/kubernetes as kubectl renders it, and what the API server's strict validation would find in the result:
 * fields that there are not, that are missing or of another type, by the declarations in `kubernetes-types`.
 */
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { ConfigMap, Namespace, Secret, Service } from "kubernetes-types/core/v1.js";
import type { NetworkPolicy } from "kubernetes-types/networking/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import { parseAllDocuments } from "yaml";
import { run, runToEnd } from "./processes.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface Kinds {
  ConfigMap: ConfigMap;
  Deployment: Deployment;
  Namespace: Namespace;
  NetworkPolicy: NetworkPolicy;
  PodDisruptionBudget: PodDisruptionBudget;
  Secret: Secret;
  Service: Service;
}

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata?: { namespace?: string };
}

/** All objects of an overlay. */
export class Manifest {
  readonly objects: readonly KubernetesObject[];

  constructor(objects: readonly KubernetesObject[]) {
    this.objects = objects;
  }

  /** The one of its kind. */
  the<Kind extends keyof Kinds>(kind: Kind): Kinds[Kind] {
    const found = this.objects.filter((each) => each.kind === kind);
    if (found.length !== 1) throw new Error(`${found.length} objects are of kind ${kind}`);
    return found[0] as Kinds[Kind];
  }
}

/** Its path; it is fetched on first use, for which there has to be a network. */
export async function kubectl(): Promise<string> {
  const { stdout } = await run(path.join(ROOT, "scripts/fetch-kubectl.sh"), [], { timeoutMs: 110_000 });
  return stdout.trim();
}

/** packaging/kubernetes/example, as it is, with a keytab beside it as docs/kubernetes.md has it. */
export async function renderedExample(t: TestContext, keytab: string): Promise<Manifest> {
  const dir = await mkdtemp(path.join(tmpdir(), "kubernetes-"));
  t.after(() => rm(dir, { recursive: true }));
  await cp(path.join(ROOT, "packaging/kubernetes"), dir, { recursive: true });
  await cp(keytab, path.join(dir, "example/krb5.keytab"));
  const { stdout } = await run(await kubectl(), ["kustomize", path.join(dir, "example")]);
  return new Manifest(
    parseAllDocuments(stdout, { version: "1.1" }).map((each) => each.toJS() as KubernetesObject),
  );
}

/** Nothing where each object is as Kubernetes has it; else what a compiler says. */
export async function typeErrors(t: TestContext, objects: readonly KubernetesObject[]): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), "kubernetes-types-"));
  t.after(() => rm(dir, { recursive: true }));
  await symlink(path.join(ROOT, "node_modules"), path.join(dir, "node_modules"));
  const lines = objects.map(
    (each, index) => `export const o${index}: ${declaration(each)} = ${JSON.stringify(each, null, 2)};\n`,
  );
  await writeFile(path.join(dir, "objects.mts"), lines.join(""));
  const flags = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--skipLibCheck",
    "--types",
    "",
    "objects.mts",
  ];
  const { code, stdout } = await runToEnd(path.join(ROOT, "node_modules/.bin/tsc"), flags, {
    cwd: dir,
    timeoutMs: 60_000,
  });
  return code === 0 ? "" : stdout;
}

/** As `apps/v1`, `v1`, `networking.k8s.io/v1`: the group's first label, and the version. */
function declaration({ apiVersion, kind }: KubernetesObject): string {
  const [, group = "core", version = ""] = /^(?:([^/.]+)[^/]*\/)?([^/]+)$/.exec(apiVersion) ?? [];
  return `import("kubernetes-types/${group}/${version}.js").${kind}`;
}
