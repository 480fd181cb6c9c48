// The package's declarations as a TypeScript program sees them: its packed tree in a project of its own, compiled with
// every check on, its own and its dependencies' declarations among them (skipLibCheck off), resolved as Node does and as
// bundlers do. The program uses each entry; so do the examples, and what docs/library.md and README.md show.
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pack } from "../support/npm-package.js";
import { run } from "../support/processes.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const PROGRAM = `
import { Agent } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import {
  bind, type ConnectOptions, type CreateServerOptions, connect, createServer, createSocket, Credential, type EmbeddedServer, GssError,
  GssocksError, HttpAgent, HttpsAgent, NetworkError, PeerError, PolicyError, type ProxyBinding, type ProxyOptions, type ProxySession,
  type ProxyStream, type ServerEvent, UsageError, type UdpAssociation, udpAssociate,
} from "gssocks";
import * as gss from "gssocks/gss";
import { gssocksConnector, gssocksDispatcher } from "gssocks/undici";

export const options: ProxyOptions = { proxy: { host: "p", port: 1 }, levels: ["integrity"], signal: AbortSignal.timeout(1) };
export const whole: ConnectOptions = { ...options, destination: { host: "d", port: 2 } };
export const agents: Agent[] = [new HttpAgent(options), new HttpsAgent(options, { ca: "", keepAlive: true })];
export const dispatcher: Dispatcher = gssocksDispatcher(options, { connections: 1, connect: { ca: "", allowH2: true } });
export const connector = gssocksConnector(options);
// What looks like a net.Socket is one to the compiler, too.
export const socket: Socket = createSocket(options).setKeepAlive(true);
export const server: CreateServerOptions = {
  rules: [{ allow: { to: ["10.0.0.0/8"], principal: ["*@EXAMPLE.TEST"] } }],
  timeouts: { idle: "1h" },
  authorize: ({ principal, destination }) => principal !== null && destination.port === 22,
};
export async function all(): Promise<[Duplex, string | null, UdpAssociation, ProxyBinding, ProxySession]> {
  const stream: ProxyStream = await connect(whole);
  const embedded: EmbeddedServer = createServer(server);
  embedded.on("session-closed", ({ record }) => console.log(record.bytesUp.toFixed()));
  const tell = (event: ServerEvent) => console.log(event.type);
  embedded.on("stopped", tell);
  const credential: Credential = await gss.Credential.initiator({ ccache: "FILE:/c" });
  const context = gss.SecurityContext.initiator({ target: "host@h", credential, mechanism: gss.GSS_MECH_SPNEGO });
  const step: gss.StepResult = await context.init(null);
  console.log(step.token?.length, context.flags & gss.GSS_C_MUTUAL_FLAG);
  return [stream, stream.session.initiator, await udpAssociate(options), await bind({ ...options, peer: { host: "b", port: 0 } }), stream.session];
}
export function told(error: unknown): string {
  if (error instanceof GssError) return error.minorText;
  if (error instanceof PolicyError || error instanceof NetworkError || error instanceof PeerError || error instanceof UsageError) return error.code;
  return error instanceof GssocksError ? error.code : "";
}
// @ts-expect-error: no proxy is named
export const nothing = connect({});
// @ts-expect-error: no such level
export const level: ProxyOptions = { proxy: { host: "p", port: 1 }, levels: ["best"] };
// @ts-expect-error: no such event
createServer().on("opened", () => {});
// @ts-expect-error: that is for gssocks serve
createServer({ workers: 2 });
`;

/** What stands between \`\`\`js and \`\`\` in a file. */
async function shown(file: string): Promise<string[]> {
  const text = await readFile(path.join(ROOT, file), "utf8");
  return [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
}

test("the declarations, as a consumer compiles them", async (context) => {
  const directory = await mkdtemp(path.join(tmpdir(), "consumer-"));
  context.after(() => rm(directory, { recursive: true }));
  const modules = path.join(directory, "node_modules");
  const installed = path.join(modules, "gssocks");
  await mkdir(installed, { recursive: true });
  const { tarball } = await pack(directory);
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  // The rest is what npm would put beside it.
  for (const name of await readdir(path.join(ROOT, "node_modules")))
    if (!name.startsWith(".")) await symlink(path.join(ROOT, "node_modules", name), path.join(modules, name));

  await writeFile(path.join(directory, "package.json"), '{ "private": true, "type": "module" }\n');
  await writeFile(path.join(directory, "program.ts"), PROGRAM);
  for (const file of ["docs/library.md", "README.md"])
    for (const [index, code] of (await shown(file)).entries())
      await writeFile(path.join(directory, `${path.basename(file, ".md")}-${index}.mjs`), code);
  const examples = path.join(ROOT, "examples");
  for (const name of await readdir(examples))
    await writeFile(path.join(directory, name), await readFile(path.join(examples, name)));

  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ] as const) {
    await context.test(moduleResolution, async () => {
      const compilerOptions = {
        module,
        moduleResolution,
        target: "es2023",
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        allowJs: true,
        checkJs: true,
        skipLibCheck: false,
        noEmit: true,
      };
      const project = path.join(directory, `${moduleResolution}.json`);
      await writeFile(project, JSON.stringify({ compilerOptions, include: ["*.ts", "*.mjs"] }));
      await run(path.join(ROOT, "node_modules/.bin/tsc"), ["-p", project], {
        cwd: directory,
        timeoutMs: 100_000,
      });
    });
  }
});
