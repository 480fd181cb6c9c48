/**
 * The container of a Deployment as a kubelet runs it, without the cluster: the image's command as the pod's user with no
 * capability, in a root that is read-only and holds what the image does, with the pod's volumes in it and nothing else of
 * the environment. It is to be called in a network namespace (network-namespace.ts), whose addresses are the pod's.
 */
import { readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { PodSpec, Probe, Volume } from "kubernetes-types/core/v1.js";
import { gssocksImage } from "./image.js";
import type { Manifest } from "./kubernetes.js";
import { type Running, start } from "./processes.js";
import { listening, ServerProcess } from "./server-process.js";
import { showOnFailure } from "./show-on-failure.js";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

/**
 * ROOT REPOSITORY NODE, then OPTIONS SOURCE TARGET for each volume, `--`, and the command to become inside. What it runs
 * is where the image has it, /opt/gssocks, with a Node beside it.
 */
const SETUP = `
root=$1 repository=$2 node=$3
shift 3
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root/usr" "$root/proc" "$root/dev" "$root/etc" "$root/opt/gssocks"
for each in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$each" ]; then cp -P "/$each" "$root/$each"
  elif [ -d "/$each" ]; then mkdir "$root/$each"; mount --rbind "/$each" "$root/$each"; fi
done
for each in usr proc dev; do mount --rbind "/$each" "$root/$each"; done
for each in hosts nsswitch.conf passwd group ld.so.cache; do cp "/etc/$each" "$root/etc/"; done
mount --bind "$repository" "$root/opt/gssocks"
touch "$root/opt/node"
mount --bind "$node" "$root/opt/node"
while [ "$1" != -- ]; do
  mkdir -p "$root$3"
  if [ "$2" = tmpfs ]; then mount -t tmpfs -o "$1" tmpfs "$root$3"
  else mount --bind "$2" "$root$3"; mount -o "remount,bind,$1" "$root$3"; fi
  shift 3
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
`;

export class Pod extends ServerProcess {
  readonly #address: string;
  readonly #spec: PodSpec;
  readonly #secrets: ReadonlyMap<string, MountedFiles>;

  private constructor(
    process: Running,
    ports: number[],
    address: string,
    spec: PodSpec,
    secrets: Map<string, MountedFiles>,
  ) {
    super(process, "serve", ports);
    this.#address = address;
    this.#spec = spec;
    this.#secrets = secrets;
  }

  /**
   * Fulfilled when its listener accepts.
   * @param address the pod's
   */
  static async start(t: TestContext, manifest: Manifest, address: string): Promise<Pod> {
    const spec = manifest.the("Deployment").spec?.template.spec;
    const [container] = spec?.containers ?? [];
    if (!spec || !container) throw new Error("the Deployment has no container");
    const image = await gssocksImage();
    const dir = await mkdtemp(path.join(tmpdir(), "pod-"));
    t.after(() => rm(dir, { recursive: true }));
    await mkdir(path.join(dir, "root"));
    const { runAsUser = 0, runAsGroup = 0, fsGroup = 0 } = spec.securityContext ?? {};
    // Only root's namespaces have more users than one: else it is that one, without its capabilities.
    const user = isMapped(runAsUser);
    const owner = user ? fsGroup : 0;

    const secrets = new Map<string, MountedFiles>();
    const mounts: string[] = [];
    for (const { name, mountPath, readOnly } of container.volumeMounts ?? []) {
      const volume = spec.volumes?.find((each) => each.name === name);
      if (volume?.emptyDir) {
        mounts.push(`mode=1777,size=${volume.emptyDir.sizeLimit?.replace("Mi", "m")}`, "tmpfs", mountPath);
        continue;
      }
      const source = path.join(dir, name);
      const files = await MountedFiles.make(source, filesOf(volume, manifest), owner);
      if (volume?.secret) secrets.set(name, files);
      mounts.push(readOnly ? "ro" : "rw", source, mountPath);
    }
    const env: Record<string, string> = { ...image.env, PATH: "/usr/local/bin:/usr/bin:/bin" };
    for (const { name, value = "" } of container.env ?? []) env[name] = value;
    const [program, ...args] = image.command;
    if (program !== "gssocks") throw new Error(`the image runs ${program}`);
    const child = await start("unshare", [
      ...["--mount", "--propagation", "private", "sh", "-euc", SETUP, "sh"],
      ...[path.join(dir, "root"), REPOSITORY, process.execPath, ...mounts, "--"],
      ...["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      // It takes the wish to end with us from start(), and says it once more behind the change of users.
      ...["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"],
      ...(user ? ["--reuid", `${runAsUser}`, "--regid", `${runAsGroup}`, "--groups", `${fsGroup}`] : []),
      ...["--", "/opt/node", "/opt/gssocks/dist/src/cli/main.js", ...args],
    ]);
    showOnFailure(t, () => `--- pod\n${child.stdout()}${child.stderr()}`);
    t.after(() => child.stop());
    return new Pod(child, await listening(child, 1), address, spec, secrets);
  }

  /** What the kubelet is answered: the status. Rejects where it has no answer in the probe's time. */
  async probe(name: "startupProbe" | "livenessProbe" | "readinessProbe"): Promise<number> {
    const [container] = this.#spec.containers;
    const { httpGet, timeoutSeconds = 1 }: Probe = container?.[name] ?? {};
    const port = container?.ports?.find((each) => each.name === httpGet?.port)?.containerPort;
    return new Promise((resolve, reject) => {
      const headers = { "user-agent": "kube-probe/1.32", accept: "*/*", connection: "close" };
      request({ host: this.#address, port, path: httpGet?.path, headers, timeout: timeoutSeconds * 1000 })
        .on("response", (response) => resolve(response.resume().statusCode ?? 0))
        .on("timeout", () => reject(new Error(`${name}: no answer`)))
        .on("error", reject)
        .end();
    });
  }

  /** What a changed Secret comes to. */
  async replaceSecret(volume: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
    await this.#secrets.get(volume)?.replace(files);
  }
}

/** A volume's files as the kubelet keeps them: links to links, and one rename that changes them all. */
class MountedFiles {
  readonly #dir: string;
  readonly #group: number;
  readonly #mode: number;
  #version = 0;

  private constructor(dir: string, mode: number, group: number) {
    this.#dir = dir;
    this.#mode = mode;
    this.#group = group;
  }

  static async make(dir: string, { files, mode }: Content, group: number): Promise<MountedFiles> {
    await mkdir(dir);
    const made = new MountedFiles(dir, mode, group);
    await made.replace(files);
    for (const name of files.keys()) await symlink(path.join("..data", name), path.join(dir, name));
    return made;
  }

  async replace(files: ReadonlyMap<string, Buffer>): Promise<void> {
    const before = `..${this.#version}`;
    this.#version += 1;
    const now = `..${this.#version}`;
    await mkdir(path.join(this.#dir, now));
    for (const [name, content] of files) {
      const file = path.join(this.#dir, now, name);
      await writeFile(file, content);
      await chown(file, 0, this.#group);
      await chmod(file, this.#mode);
    }
    await symlink(now, path.join(this.#dir, "..data_tmp"));
    await rename(path.join(this.#dir, "..data_tmp"), path.join(this.#dir, "..data"));
    await rm(path.join(this.#dir, before), { recursive: true, force: true });
  }
}

interface Content {
  files: Map<string, Buffer>;
  mode: number;
}

function filesOf(volume: Volume | undefined, manifest: Manifest): Content {
  if (volume?.configMap?.name !== undefined) {
    const { metadata, data = {} } = manifest.the("ConfigMap");
    if (metadata?.name !== volume.configMap.name) throw new Error(`no ConfigMap ${volume.configMap.name}`);
    const files = Object.entries(data).map(([name, text]) => [name, Buffer.from(text)] as const);
    return { files: new Map(files), mode: volume.configMap.defaultMode ?? 0o644 };
  }
  const { metadata, data = {} } = manifest.the("Secret");
  if (metadata?.name !== volume?.secret?.secretName) throw new Error(`no Secret for ${volume?.name}`);
  const files = Object.entries(data).map(([name, text]) => [name, Buffer.from(text, "base64")] as const);
  return { files: new Map(files), mode: volume?.secret?.defaultMode ?? 0o644 };
}

/** user_namespaces(7): lines of the first id inside, the first outside, and how many. */
function isMapped(id: number): boolean {
  return readFileSync("/proc/self/uid_map", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([first = 0, , count = 0]) => first <= id && id < first + count);
}
