/**
 * Bad command lines of `gssocks forward`: exit status 2, nothing on standard output, and a message that names the option, or the
 * key that it stands for, and says what was expected.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";

const PROXY = ["--proxy", "localhost:1080"];
const CAROL = ["--user", "carol", "--password-file", "/dev/null"];

const badCommandLines: readonly [args: string[], says: RegExp][] = [
  [[], /expected --proxy, --srv or --config/],
  [["--proxy", "localhost"], /--proxy.*expected HOST:PORT, as /],
  [[...PROXY, "--listen", "here"], /listeners\[0\]\.address.*expected an IP address and a port/],
  [[...PROXY, "--direct", "a.test,a..test"], /--direct.*expected an address, a network, a name/],
  [[...PROXY, "--refuse", "10.0.0.1/8"], /--refuse.*a network without host bits: 10\.0\.0\.0\/8/],
  [[...PROXY, "--trusted", "a.test"], /upstreams\.proxy\.trusted: .*add srv/],
  [["--srv", "a.test", "--trusted", "a.test,*"], /trusted\[1\]: expected a host's name/],
  [["--srv", "a..test"], /upstreams\.proxy\.srv: expected a domain/],
  [["--srv", "a.test", "--target-name", "rcmd@a"], /--target-name is for --proxy/],
  [[...PROXY, "--order", "last"], /--order.*first, round-robin/],
  [[...PROXY, "--method", "gssapi,none"], /of --method, forward takes one/],
  [[...PROXY, "--user", "carol"], /needs --user and --password-file/],
  [[...PROXY, "--users", "/no"], /--users.*ENOENT/],
  [[...PROXY, "--tls-ca", "/no"], /--tls-ca.*ENOENT/],
  [[...PROXY, "--config", "/no"], /'-c, --config <file>' cannot be used with .*'-p, --proxy/],
  [["--config", "/no", "--tls"], /'-c, --config <file>' cannot be used with .*'--tls'/],
  [["--proxy", "proxy.test:1080", ...CAROL], /in clear to proxy\.test: add --tls, or say --send-clear/],
  [["--srv", "a.test", ...CAROL], /in clear to a\.test: add --tls/],
];

for (const [args, says] of badCommandLines) {
  test(`gssocks forward ${args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await gssocks(["forward", ...args]);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, says);
  });
}
