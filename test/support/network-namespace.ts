/**
 * A network of a test file's own: Linux namespaces in which the file runs once more, so that it can have any address,
 * route, port and host name, and the machine's own network and files stay as they are. Needs root, or a kernel that
 * lets everybody make user namespaces.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd } from "./processes.js";

export interface Network {
  /** Lines for ip(8), as `addr add 192.0.2.1/32 dev lo`. The loopback interface is up; there is no other. */
  ip: readonly string[];
  /** Names and their addresses beside localhost: all that the resolver knows where there is no `dns`. */
  hosts?: Readonly<Record<string, readonly string[]>>;
  /** Lines of resolv.conf; nothing asks a DNS server where there are none. */
  dns?: readonly string[];
}

const INSIDE = "--inside-network-namespace";

/** Reads lines for ip from standard input; $1 is what the hosts file holds, $2 what resolv.conf holds, the rest the command to become. */
const SETUP = `
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
ip -batch -
files=$(mktemp -d)
printf '%s' "$1" >"$files/hosts"
printf 'hosts: files%s\\n' "\${2:+ dns}" >"$files/nsswitch.conf"
printf '%s' "$2" >"$files/resolv.conf"
mount --bind "$files/hosts" /etc/hosts
mount --bind "$files/nsswitch.conf" /etc/nsswitch.conf
test -z "$2" || mount --bind "$files/resolv.conf" /etc/resolv.conf
rm -r "$files"
shift 2
exec setpriv --pdeathsig KILL -- "$@"
`;

const LIMIT_MS = 110_000;

/**
 * Registers one test that runs this file again inside the network; there, calls `define` to register the tests proper.
 * @param file the caller's import.meta.url
 */
export function inNetworkNamespace(file: string, network: Network, define: () => void): void {
  if (process.argv.includes(INSIDE)) return define();
  test("in a network namespace", async (t) => {
    const flags = ["--net", "--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
    const probe = await runToEnd("unshare", [...flags, "true"]);
    if (probe.code !== 0) return t.skip(`no network namespace can be made here: ${probe.stderr.trim()}`);
    const again = [process.execPath, "--enable-source-maps", "--test-reporter=tap", fileURLToPath(file)];
    const resolvConf = (network.dns ?? []).map((line) => `${line}\n`).join("");
    const args = [
      ...flags,
      "sh",
      "-euc",
      SETUP,
      "sh",
      hostsFile(network.hosts),
      resolvConf,
      ...again,
      INSIDE,
    ];
    const { code, stdout, stderr } = await runToEnd("unshare", args, {
      input: `${network.ip.join("\n")}\n`,
      // Without it the inner run takes itself for a part of this one.
      env: { NODE_TEST_CONTEXT: undefined },
      timeoutMs: LIMIT_MS,
    });
    const output = `${stdout}${stderr}`;
    assert.equal(code, 0, output);
    // Skips in there would be seen by nobody.
    assert.match(stdout, /^# pass [1-9]\d*\n# fail 0\n# cancelled 0\n# skipped 0$/m, output);
  });
}

function hostsFile(hosts: Network["hosts"] = {}): string {
  const lines = Object.entries({ localhost: ["127.0.0.1", "::1"], ...hosts }).flatMap(([name, addresses]) =>
    addresses.map((address) => `${address} ${name}\n`),
  );
  return lines.join("");
}
