/**
 * What is tested, by scripts/test-heimdal.sh: our client and server, over MIT's library, where the KDC is Heimdal's: either
 * enctype and both levels, a service it does not know, and a ticket that is delegated to the next proxy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "../../src/index.js";
import { ENCTYPES } from "../support/enctypes.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { run, start } from "../support/processes.js";
import { type ProxyConfig, ProxyServer } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";

const { HEIMDAL_ROOT: root, HEIMDAL_LIBRARIES: libraries } = process.env as Record<string, string>;
assert.ok(root && libraries, "to be run by scripts/test-heimdal.sh");
const reservePort = fileURLToPath(new URL("../../../krb5-testenv/reserve-port.pl", import.meta.url));

for (const enctype of ENCTYPES)
  test(enctype, async (t) => {
    const { env, keytab } = await heimdalRealm(t, enctype);
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const serve = async (config: ProxyConfig = {}) => {
      const proxy = await ProxyServer.start({ env, keytab }, config);
      showOnFailure(t, () => proxy.logs());
      t.after(() => proxy.stop());
      return proxy;
    };
    const last = await serve();
    const proxy = await serve({
      upstreams: { next: { proxies: [last.address], gssapi: { credential: "delegated" } } },
      rules: [{ allow: { to: ["localhost"] }, via: "next" }, { allow: { to: ["127.0.0.0/8"] } }],
    });
    const ask = (...args: readonly string[]) =>
      gssocks(["connect", "127.0.0.1", String(origin.port), "--proxy", proxy.address, ...args], {
        env,
        input: "octets",
      });

    for (const level of ["confidentiality", "integrity"]) {
      const { stdout, stderr } = await ask("--level", level);
      assert.equal(stdout, "octets", stderr);
      assert.equal((await proxy.audit((record) => record.level === level)).principal, "alice@EXAMPLE.TEST");
    }

    const { code, stderr } = await ask("--service", "ftp");
    assert.equal(code, 1);
    assert.match(stderr, /the KDC does not know the service "ftp@localhost"/);

    for (const [name, value] of Object.entries(env)) process.env[name] = value;
    const stream = await connect({
      proxy: { host: "localhost", port: proxy.port },
      destination: { host: "localhost", port: origin.port },
      delegate: true,
    });
    stream.end("octets");
    assert.equal(String((await once(stream, "data"))[0]), "octets");
    assert.equal((await last.audit()).principal, "alice@EXAMPLE.TEST");
  });

/** alice's ticket is in its ccache. */
async function heimdalRealm(t: TestContext, enctype: string) {
  const dir = await mkdtemp(path.join(tmpdir(), "heimdal-"));
  t.after(() => rm(dir, { recursive: true }));
  const at = (file: string) => path.join(dir, file);
  await writeFile(at("kdc.conf"), KDC_CONF.replaceAll("@DIR@", dir).replaceAll("@ENCTYPE@", enctype));
  const theirs = { env: { KRB5_CONFIG: at("kdc.conf"), LD_LIBRARY_PATH: libraries } };
  await run(`${root}/usr/sbin/kstash`, ["--random-key", `--key-file=${at("m-key")}`], theirs);
  for (const command of [
    "init --realm-max-ticket-life=1day --realm-max-renewable-life=1week EXAMPLE.TEST",
    "add --use-defaults --random-key alice",
    "add --use-defaults --random-key rcmd/localhost",
    `ext_keytab -k FILE:${at("alice.keytab")} alice`,
    `ext_keytab -k FILE:${at("keytab")} rcmd/localhost`,
  ])
    await run(`${root}/usr/bin/kadmin.heimdal`, ["-l", "-r", "EXAMPLE.TEST", ...command.split(" ")], theirs);
  const become = `echo "port $KDC_PORT"; exec "$0" --config-file="$1" --addresses=127.0.0.1 --ports=$KDC_PORT`;
  const args = [reservePort, "sh", "-c", become, `${root}/usr/lib/heimdal-servers/kdc`, at("kdc.conf")];
  const kdc = await start("perl", args, { ...theirs, test: t });
  showOnFailure(t, () => `--- Heimdal's KDC\n${kdc.stderr()}`);
  const [, port] = await kdc.waitForLine(/^port (\d+)$/);
  await kdc.waitForLine(/listening on .*\/tcp/);
  await writeFile(
    at("krb5.conf"),
    KRB5_CONF.replaceAll("@ENCTYPE@", enctype).replaceAll("@PORT@", String(port)),
  );
  const env = {
    KRB5_CONFIG: at("krb5.conf"),
    KRB5CCNAME: `FILE:${at("ccache")}`,
    KRB5RCACHEDIR: dir,
    KRB5_KTNAME: `FILE:${at("keytab")}`,
  };
  await run("kinit", ["-f", "-k", "-t", at("alice.keytab"), "alice"], { env });
  return { env, keytab: at("keytab") };
}

const KDC_CONF = `[libdefaults]
  default_realm = EXAMPLE.TEST
[kdc]
  database = {
    dbname = @DIR@/database
    realm = EXAMPLE.TEST
    mkey_file = @DIR@/m-key
    log_file = @DIR@/database.log
  }
[kadmin]
  default_keys = @ENCTYPE@:pw-salt
[logging]
  kdc = STDERR
`;

const KRB5_CONF = `[libdefaults]
  default_realm = EXAMPLE.TEST
  permitted_enctypes = @ENCTYPE@
  dns_canonicalize_hostname = false
  rdns = false
  qualify_shortname = ""
  udp_preference_limit = 1
[realms]
  EXAMPLE.TEST = {
    kdc = 127.0.0.1:@PORT@
  }
[domain_realm]
  localhost = EXAMPLE.TEST
`;
