/**
 * What is tested: README.md's examples, as they stand but for the directory /etc/gssocks, in a network that has the hosts
 * they name, with a realm of their own: making the principal, the configurations, and every command of clients, of programs
 * that others wrote among them. An example that is not here fails the test.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { startGitServer } from "../support/git-server.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { newerCurl } from "../support/newer-curl.js";
import { needsRoot, oidentd } from "../support/oidentd.js";
import { Origin } from "../support/origin.js";
import { type Finished, run, runToEnd, start } from "../support/processes.js";
import { CLI } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { listening, ServerProcess } from "../support/server-process.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { shownIn } from "../support/shown.js";
import { startSshd } from "../support/sshd.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const HOSTS = {
  "proxy.example.test": "192.0.2.1",
  "db.example.test": "10.0.0.5",
  "web.example.test": "10.0.0.7",
  "git.example.test": "10.0.0.8",
  "build.internal.example.test": "10.0.0.9",
} as const;

const NETWORK = {
  ip: Object.values(HOSTS).map((address) => `addr add ${address}/32 dev lo`),
  hosts: Object.fromEntries(Object.entries(HOSTS).map(([name, address]) => [name, [address]])),
};

/** Of the project itself: CI does the one and scripts/test-packages.sh the other. */
const ELSEWHERE = ["npm start ", "npm ci "];

// Outside, where there is a network to fetch it by.
const NEWER_CURL = await newerCurl();

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("README.md's examples", async (t) => {
    const realm = await Realm.start({ services: ["host/build.internal.example.test"] });
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    const { dir } = realm;
    const file = (name: string) => path.join(dir, name);
    const etc = file("etc-gssocks");
    const home = file("home");
    const bin = file("bin");
    for (const each of [etc, home, bin]) mkdirSync(each);
    program("gssocks", `exec '${process.execPath}' --enable-source-maps '${CLI}' "$@"`);
    // On the KDC's own machine, for there is no kadmind.
    program("kadmin", `PATH=$PATH:/usr/sbin exec kadmin.local -r ${realm.name} "$@"`);
    const authority = await makeAuthority(etc);
    const made = await makeCertificate(etc, "cert", "DNS:proxy.example.test", authority);
    renameSync(made.key, path.join(etc, "key.pem"));

    function program(name: string, script: string, below = bin): void {
      writeFileSync(path.join(below, name), `#!/bin/sh\n${script}\n`);
      chmodSync(path.join(below, name), 0o755);
    }

    const left = new Set(shownIn("README.md").filter(({ language }) => language !== "yaml"));
    /** The example of the section that begins so, which counts as tried. */
    function example(section: string, begins: string): string {
      const found = shownIn("README.md").find(
        (each) => each.section === section && each.text.startsWith(begins),
      );
      assert.ok(found !== undefined, `README.md shows no ${begins} in ${section}`);
      for (const each of left) if (each.text === found.text) left.delete(each);
      return found.text.replaceAll("/etc/gssocks", etc);
    }

    const env = {
      ...realm.env,
      PATH: `${bin}:${process.env.PATH}`,
      HOME: home,
      // Where it would be told of by status and reload.
      XDG_RUNTIME_DIR: undefined,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_SSL_CAINFO: authority.certificate,
      ...Object.fromEntries(
        ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
          [name, undefined],
          [name.toUpperCase(), undefined],
        ]),
      ),
    };
    const options = (input = "") => ({ env, input, cwd: home });
    const shell = (script: string, input = ""): Promise<Finished> =>
      run("bash", ["-euo", "pipefail", "-c", script], options(input));

    /** With the port that its address and examples have. */
    const served = async (
      name: keyof typeof HOSTS,
      port: number,
      answer: Parameters<typeof Origin.start>[0],
    ) => {
      const origin = await Origin.start(answer, HOSTS[name], port);
      t.after(() => origin.stop());
    };
    const led = (port: number): Parameters<typeof Origin.start>[0] => {
      return (socket) => {
        const onward = connect(port, "127.0.0.1");
        onward.on("error", () => {});
        socket.pipe(onward).pipe(socket);
      };
    };
    await served("web.example.test", 80, (socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na page\n")),
    );
    await served("db.example.test", 5432, (socket) =>
      socket.resume().on("end", () => socket.end("a database\n")),
    );

    /** A server with this configuration, until the test ends. */
    async function serve(t: TestContext, config: string): Promise<ServerProcess> {
      writeFileSync(path.join(etc, "config.yaml"), config);
      const args = [CLI, "serve", "--config", path.join(etc, "config.yaml")];
      const child = await start(process.execPath, args, { env, test: t });
      const server = new ServerProcess(
        child,
        "serve",
        await listening(child, parse(config).listeners.length),
      );
      showOnFailure(t, () => server.logs());
      return server;
    }
    const first = example("A real installation, in five minutes", "listeners:");

    await t.test("the principal, the server, the client, ssh and every other program", async (t) => {
      // The realm has it already.
      await realm.kadmin(["delprinc -force rcmd/proxy.example.test"]);
      await shell(example("A real installation, in five minutes", "kadmin "));
      const server = await serve(t, first);
      const script = example("A real installation, in five minutes", "kinit ");
      assert.match((await shell(script, "alice-password\n")).stdout, /^a database$/m);
      const { principal, level } = await server.audit();
      assert.deepEqual([principal, level], ["alice@EXAMPLE.TEST", "confidentiality"]);

      const sshd = await startSshd(t, realm, ["alice@EXAMPLE.TEST"]);
      await served("build.internal.example.test", 22, led(sshd.port));
      writeFileSync(file("ssh-config"), example("With ssh", "Host "));
      // The file in place of none, and the port that everybody has.
      const known = ["-F", file("ssh-config"), "-o", "Port=22", ...sshd.options.slice(2)];
      const ssh = await run("ssh", [...known, "build.internal.example.test", "echo", "here"], options());
      assert.equal(ssh.stdout, "here\n");

      const git = (...args: string[]) => run("git", args, { ...options(), cwd: dir });
      await git("init", "-q", "--bare", "-b", "main", "served/project.git");
      await git("clone", "-q", "served/project.git", "source");
      const author = ["-c", "user.name=Alice", "-c", "user.email=alice@example.test"];
      await git("-C", "source", ...author, "commit", "-q", "--allow-empty", "-m", "a commit");
      await git("-C", "source", "push", "-q", "origin", "HEAD:main");
      const certificate = await makeCertificate(dir, "git", "DNS:git.example.test", authority);
      await served("git.example.test", 443, led(await startGitServer(t, file("served"), certificate)));
      const [, background = "", rest = ""] =
        /^(.*&\n)(.*)$/s.exec(example("With every other program", "gssocks forward")) ?? [];
      const { input: _, ...typed } = options();
      const bash = await start("bash", ["-eu"], { ...typed, test: t });
      bash.stdin.write(background);
      await bash.waitForLine(/listening/);
      bash.stdin.end(`${rest}\nkill %1\nwait\n`);
      assert.deepEqual(await bash.exited, { code: 0, signal: null }, bash.stderr());
      assert.match(bash.stdout(), /^a page$/m);
      assert.match((await git("-C", path.join(home, "project"), "log", "--format=%s")).stdout, /^a commit$/m);
      for (const destination of ["10.0.0.7:80", "git.example.test:443", "build.internal.example.test:22"])
        await server.audit((line) => line.destination === destination && line.level === "confidentiality");

      const audited = server.audits().length;
      const lists = example("With every other program", "gssocks forward --direct").trim().split(" ");
      const quoted = lists.slice(1).map((word) => word.replaceAll("'", ""));
      const forwarder = await start(process.execPath, [CLI, ...quoted], { ...typed, test: t });
      await forwarder.waitForLine(/listening/);
      const page = (url: string) =>
        runToEnd("curl", ["-sS", "--proxy", "http://127.0.0.1:1081", url], options());
      assert.equal((await page("http://10.0.0.7/")).stdout, "a page\n");
      assert.match((await page("http://ads.example.test/")).stdout, /RULE_DENIED/);
      process.kill(forwarder.pid);
      await forwarder.exited;
      assert.equal(server.audits().length, audited);
    });

    await t.test("curl", async (t) => {
      // A client asks for the name that it types.
      await realm.ktadd("rcmd/localhost", path.join(etc, "krb5.keytab"));
      const listeners = example("With curl", "listeners:");
      const server = await serve(t, stringify({ ...parse(first), ...parse(listeners) }));
      const newer = file("newer");
      mkdirSync(newer);
      program("curl", `exec '${NEWER_CURL}' "$@"`, newer);
      const { stdout } = await shell(`PATH=${newer}:$PATH\n${example("With curl", "curl ")}`);
      assert.equal(stdout, "a page\n");
      const { principal, level } = await server.audit();
      assert.deepEqual([principal, level], ["alice@EXAMPLE.TEST", "none"]);
    });

    await t.test("other clients, and TLS", async (t) => {
      const section = "Other clients, and TLS";
      const config = example(section, "listeners:");
      const [passwd = "", ...commands] = example(section, "gssocks passwd").trim().split("\n");
      await shell(passwd, "bobs-password\nbobs-password\n");
      const server = await serve(t, config);
      if (!needsRoot) await oidentd(t, "127.0.0.1", [], 113);
      for (const command of commands) {
        if (needsRoot && command.includes("identd")) continue;
        assert.match((await shell(command)).stdout, /^a (?:page|database)\n$/, command);
      }
      const methods = () => server.audits().map(({ method }) => method);
      await server.audit(() => methods().length === (needsRoot ? 3 : 4));
      assert.deepEqual(methods(), ["password", ...(needsRoot ? [] : ["ident"]), "none", "gssapi"]);
    });

    await t.test("a program", async (t) => {
      await serve(t, first);
      const echo = createSocket("udp4");
      t.after(() => echo.close());
      echo.on("message", (data, { address, port }) => echo.send(data, port, address));
      echo.bind(7, "10.0.0.7");
      await once(echo, "listening");
      mkdirSync(file("node_modules"));
      symlinkSync(ROOT, file("node_modules/gssocks"));
      writeFileSync(file("program.mjs"), example("From a program", "import "));
      const { code, stdout, stderr } = await runToEnd(process.execPath, [file("program.mjs")], options());
      assert.deepEqual(
        [code, stdout],
        [0, "rcmd/proxy.example.test@EXAMPLE.TEST confidentiality\n10.0.0.7 7 hello\n"],
        stderr,
      );
    });

    const untried = [...left].filter(({ text }) => !ELSEWHERE.some((begins) => text.startsWith(begins)));
    assert.deepEqual(untried, [], "examples that no test runs");
  });
});
