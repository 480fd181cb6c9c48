/**
 * OpenSSH through `gssocks connect` as its ProxyCommand: the destination starts an sshd of the test's own for each
 * connection (`sshd -i`), which lets the current user in with a key. A command's output, 10 MB each way, its status.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Origin } from "../support/origin.js";
import { run, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";

test("ssh through the proxy", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const { username } = userInfo();
  const file = (name: string) => path.join(realm.dir, name);
  for (const name of ["host-key", "user-key"]) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  }
  // Where sshd runs as root it wants a directory for its unprivileged half, which its service would make.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const publicKey = (await readFile(file("host-key.pub"), "utf8")).split(" ").slice(0, 2).join(" ");
  await writeFile(file("known-hosts"), `gssocks-test ${publicKey}\n`);
  await writeFile(
    file("sshd-config"),
    [
      `HostKey ${file("host-key")}`,
      `AuthorizedKeysFile ${file("user-key.pub")}`,
      "AuthenticationMethods publickey",
      "PermitRootLogin yes",
      // The keys lie below a directory that everyone may write to.
      "StrictModes no",
      "UsePAM no",
      "PidFile none",
      "LogLevel VERBOSE",
      "",
    ].join("\n"),
  );
  let sshdLog = "";
  const origin = await Origin.start((socket) => {
    const sshd = spawn("/usr/sbin/sshd", ["-i", "-e", "-f", file("sshd-config")], { stdio: "pipe" });
    sshd.stderr.on("data", (text) => {
      sshdLog += text;
    });
    sshd.stdin.on("error", () => {});
    socket.pipe(sshd.stdin);
    sshd.stdout.pipe(socket);
    socket.once("close", () => sshd.kill());
  });
  t.after(() => origin.stop());

  function ssh(command: string) {
    // ssh reads % itself.
    const program = `"${process.execPath}" "${CLI}"`.replaceAll("%", "%%");
    const proxyCommand = `${program} connect %h %p --proxy ${proxy.address}`;
    const options = {
      ProxyCommand: proxyCommand,
      IdentityFile: file("user-key"),
      IdentitiesOnly: "yes",
      IdentityAgent: "none",
      PreferredAuthentications: "publickey",
      UserKnownHostsFile: file("known-hosts"),
      GlobalKnownHostsFile: "none",
      HostKeyAlias: "gssocks-test",
      StrictHostKeyChecking: "yes",
      BatchMode: "yes",
    };
    const args = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
    return ["-F", "none", "-T", ...args, "-l", username, "-p", String(origin.port), "127.0.0.1", command];
  }

  try {
    await t.test("a command, its output and its status", async () => {
      const child = await start("ssh", ssh("echo here; echo there >&2; exit 42"), {
        env: realm.env,
        input: "",
        test: t,
      });
      assert.deepEqual(await child.exited, { code: 42, signal: null }, child.stderr());
      assert.equal(child.stdout(), "here\n");
      assert.match(child.stderr(), /^there$/m);
    });

    await t.test("10 MB through and back", async () => {
      const octets = randomBytes(10 << 20);
      const child = await start("ssh", ssh("cat"), { env: realm.env, input: octets, test: t });
      assert.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
      const hashes = [octets, child.stdoutBytes()].map((each) =>
        createHash("sha256").update(each).digest("hex"),
      );
      assert.equal(hashes[0], hashes[1]);
      const record = await proxy.audit(({ bytesUp }) => Number(bytesUp) > octets.length);
      assert.equal(record.principal, "alice@EXAMPLE.TEST");
      assert.equal(record.destination, `127.0.0.1:${origin.port}`);
      assert.equal(record.level, "confidentiality");
      assert.ok(Number(record.bytesDown) > octets.length);
    });
  } catch (error) {
    throw new Error(sshdLog, { cause: error });
  }
});
