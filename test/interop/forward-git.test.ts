/**
 * git through `gssocks forward`, with the ways of it that people configure: over HTTPS (http.proxy as SOCKS5 and as HTTP, and
 * the variables of `gssocks env`) to git-http-backend, and over ssh (nc as its ProxyCommand, SOCKS5 and CONNECT) to a real
 * sshd. What was pushed is what others then have.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { assertSealed, forwardedRealm } from "../support/forwarded-realm.js";
import { startGitServer } from "../support/git-server.js";
import { gssocks } from "../support/gssocks.js";
import { run } from "../support/processes.js";
import { startSshd } from "../support/real-servers.js";

test("git", async (t) => {
  const { realm, proxy, forwarder } = await forwardedRealm(t);
  const { dir } = realm;
  const at = `127.0.0.1:${forwarder.port}`;
  const authority = await makeAuthority(dir);
  const certificate = await makeCertificate(dir, "git", "DNS:localhost", authority);
  // Nothing of whoever runs the test, and no proxy but the one that is told.
  const none = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
    [name, undefined],
    [name.toUpperCase(), undefined],
  ]);
  const author = { NAME: "Alice", EMAIL: "alice@example.test" };
  const env = {
    ...Object.fromEntries(none),
    HOME: dir,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSL_CAINFO: authority.certificate,
    ...Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((who) =>
        Object.entries(author).map(([what, value]) => [`GIT_${who}_${what}`, value]),
      ),
    ),
  };
  const git = (args: readonly string[], more: Record<string, string> = {}) =>
    run("git", args, { cwd: dir, env: { ...env, ...more } });
  const headOf = async (where: string) => (await git(["-C", where, "rev-parse", "main"])).stdout;

  await git(["init", "-q", "--bare", "-b", "main", "served/project.git"]);
  await git(["init", "-q", "-b", "main", "first"]);
  let commits = 0;
  async function commit(where: string): Promise<void> {
    commits += 1;
    writeFileSync(path.join(dir, where, `file-${commits}`), randomBytes(1 << 20));
    await git(["-C", where, "add", "."]);
    await git(["-C", where, "commit", "-q", "-m", `commit ${commits}`]);
  }
  await commit("first");
  await git(["-C", "first", "push", "-q", path.join(dir, "served/project.git"), "main"]);

  /** Clones by one way, pushes by another, and looks at what has come. */
  async function toAndFro(
    name: string,
    url: string,
    destination: string,
    ways: readonly { config: readonly string[]; env?: Record<string, string> }[],
  ): Promise<void> {
    for (const [index, way] of ways.entries()) {
      const clone = `${name}-${index}`;
      await git([...way.config, "clone", "-q", url, clone], way.env);
      await assertSealed(proxy, destination, ({ bytesDown }) => Number(bytesDown) > commits << 20);
      assert.equal(await headOf(clone), await headOf("served/project.git"));
      await commit(clone);
      const isNew = proxy.later();
      await git(["-C", clone, ...way.config, "push", "-q", "origin", "main"], way.env);
      await assertSealed(proxy, destination, (line) => isNew(line) && Number(line.bytesUp) > 1 << 20);
      assert.equal(await headOf("served/project.git"), await headOf(clone));
    }
    await git(["-C", "served/project.git", "fsck", "--strict"]);
  }

  await t.test("over HTTPS", async (t) => {
    const port = await startGitServer(t, path.join(dir, "served"), certificate);
    const { stdout } = await gssocks(["env", "--listen", at, "--direct", "none.example.test"]);
    const variables = [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]);
    await toAndFro("https", `https://localhost:${port}/project.git`, `localhost:${port}`, [
      { config: ["-c", `http.proxy=socks5h://${at}`] },
      { config: ["-c", `http.proxy=http://${at}`] },
      { config: [], env: Object.fromEntries(variables) },
    ]);
  });

  await t.test("over ssh", async (t) => {
    const key = path.join(dir, "user-key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const { port } = await startSshd(t, dir, `${key}.pub`);
    const ssh = (protocol: string) => ({
      config: [],
      env: {
        GIT_SSH_COMMAND: [
          `ssh -F none -i ${key} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes`,
          `-o UserKnownHostsFile=${dir}/known-hosts -o StrictHostKeyChecking=accept-new`,
          `-o ProxyCommand='nc -X ${protocol} -x ${at} %h %p'`,
        ].join(" "),
      },
    });
    const url = `ssh://${userInfo().username}@localhost:${port}${dir}/served/project.git`;
    await toAndFro("ssh", url, `localhost:${port}`, [ssh("5"), ssh("connect")]);
  });
});
