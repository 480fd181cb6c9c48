/** The error catalogue: each failure is made with a real KDC, and the error must name its cause and the remedy. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { GssError } from "../../../src/errors.js";
import { Credential } from "../../../src/gss/credential.js";
import { toError } from "../../../src/gss/gss-error.js";
import { Name } from "../../../src/gss/name.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../../src/gss/oids.js";
import { SecurityContext } from "../../../src/gss/security-context.js";
import { Realm } from "../../support/realm.js";
import { newPair } from "./establish.js";

let realm: Realm;
before(async () => {
  realm = await Realm.start();
  realm.enter(await realm.kinit("alice"));
});
after(() => realm.stop());

const inRealm = (name: string) => path.join(realm.dir, name);

/** Fails unless the error has the code and its message holds every text. */
async function fails(
  call: () => Promise<unknown> | unknown,
  code: string,
  ...texts: string[]
): Promise<GssError> {
  let failure: unknown;
  await assert.rejects(
    async () => call(),
    (error) => {
      failure = error;
      return true;
    },
  );
  assert.ok(failure instanceof GssError, String(failure));
  assert.equal(failure.code, code, failure.message);
  for (const text of texts) assert.ok(failure.message.includes(text), `no "${text}" in: ${failure.message}`);
  assert.ok(failure.message.includes(failure.majorText), failure.message);
  assert.ok(failure.message.includes(failure.minorText.replace(/[\p{Cc}\s]+$/u, "")), failure.message);
  return failure;
}

async function firstToken(
  target = "rcmd@localhost",
  options: { credential?: Credential; mechanism?: string } = {},
): Promise<Buffer> {
  const context = SecurityContext.initiator({ target: Name.import(target), ...options });
  const { token } = await context.init(null);
  context.close();
  assert.ok(token);
  return token;
}

async function accept(token: Uint8Array, keytab = realm.keytab, mechanisms = [GSS_MECH_KRB5]): Promise<void> {
  const credential = await Credential.acceptor({ keytab: `FILE:${keytab}`, mechanisms });
  const context = SecurityContext.acceptor({ credential });
  try {
    await context.accept(token);
  } finally {
    context.close();
    credential.close();
  }
}

/** Runs `body` with another krb5.conf. */
async function withConfiguration(
  change: (text: string) => string,
  body: () => Promise<unknown>,
): Promise<void> {
  const original = process.env.KRB5_CONFIG as string;
  const changed = inRealm("changed.conf");
  writeFileSync(changed, change(readFileSync(original, "utf8")));
  process.env.KRB5_CONFIG = changed;
  try {
    await body();
  } finally {
    process.env.KRB5_CONFIG = original;
  }
}

/**
 * A copy of alice's ccache whose header says that the KDC's clock is ahead of ours by so many seconds (the DeltaTime
 * tag, which libkrb5 writes when it has noticed): its user lives in another time, and no clock is touched.
 */
function ccacheAhead(seconds: number): string {
  const original = readFileSync(inRealm("ccache"));
  const header = Buffer.from("0504000c0001000800000000000000", "hex");
  const time = Buffer.alloc(16);
  header.copy(time);
  time.writeInt32BE(seconds, 8);
  const file = inRealm(`ahead-${seconds}`);
  writeFileSync(file, Buffer.concat([time, original.subarray(4 + original.readUInt16BE(2))]), {
    mode: 0o600,
  });
  return `FILE:${file}`;
}

suite("initiator", () => {
  test("no ticket", async () => {
    const ccache = `FILE:${inRealm("nothing")}`;
    await fails(() => Credential.initiator({ ccache }), "NO_TICKET", ccache, "kinit");
    await fails(() => Credential.initiator({ ccache: "MEMORY:empty" }), "NO_TICKET", "MEMORY:empty", "kinit");
    const original = process.env.KRB5CCNAME as string;
    process.env.KRB5CCNAME = ccache;
    try {
      await fails(() => firstToken(), "NO_TICKET", ccache, "kinit");
      await fails(() => firstToken("rcmd@localhost", { mechanism: GSS_MECH_SPNEGO }), "NO_TICKET", "kinit");
    } finally {
      process.env.KRB5CCNAME = original;
    }
  });

  test("a ccache of another user, and one that is none", async () => {
    const principal = "bob";
    await fails(() => Credential.initiator({ principal }), "NO_TICKET", "of bob", "kinit");
    const alices = process.env.KRB5CCNAME as string;
    await fails(
      () => Credential.initiator({ principal, ccache: alices }),
      "CCACHE_OTHER_PRINCIPAL",
      alices,
      "kinit bob",
    );
    writeFileSync(inRealm("junk"), "junk");
    const ccache = `FILE:${inRealm("junk")}`;
    await fails(() => Credential.initiator({ ccache }), "CCACHE_UNREADABLE", ccache);
  });

  test("an expired ticket", async () => {
    const ccache = ccacheAhead(11 * 3600);
    const credential = await Credential.initiator({ ccache });
    await fails(() => firstToken("rcmd@localhost", { credential }), "TICKET_EXPIRED", ccache, "kinit");
  });

  test("a ticket that is not valid yet: our clock is behind the KDC's", async () => {
    const credential = await Credential.initiator({ ccache: ccacheAhead(-1200) });
    await fails(() => firstToken("rcmd@localhost", { credential }), "CLOCK_SKEW", "NTP");
  });

  test("a service the KDC does not know, also inside SPNEGO", async () => {
    const texts = ["ftp/localhost@EXAMPLE.TEST", '"ftp@localhost"', "keytab"];
    await fails(() => firstToken("ftp@localhost"), "SERVER_UNKNOWN", ...texts);
    await fails(
      () => firstToken("ftp@localhost", { mechanism: GSS_MECH_SPNEGO }),
      "SERVER_UNKNOWN",
      ...texts,
    );
  });

  test("a host in a realm to which there is no way", async () => {
    await fails(
      () => firstToken("rcmd@proxy.nowhere.test"),
      "REALM_UNKNOWN",
      "NOWHERE.TEST",
      "[domain_realm]",
      "proxy.nowhere.test",
    );
  });

  test("a realm without a KDC, and no default realm", async () => {
    const login = (principal: string) => () => Credential.initiator({ principal, password: "x" });
    await fails(login("alice@NOWHERE.TEST"), "REALM_UNKNOWN", "NOWHERE.TEST", "[realms]");
    await withConfiguration(
      (text) => text.replace(/default_realm.*\n/, ""),
      () => fails(login("alice"), "REALM_UNKNOWN", "default_realm"),
    );
    await withConfiguration(
      () => "[libdefaults\n",
      () => fails(() => firstToken(), "KRB5_CONF_INVALID", "krb5.conf"),
    );
  });

  test("a KDC that can't be reached", async () => {
    // Port 1 (tcpmux) of this machine: nobody listens there.
    await withConfiguration(
      (text) => text.replace(/kdc = 127\.0\.0\.1:\d+/, "kdc = 127.0.0.1:1"),
      async () => {
        await fails(
          () => Credential.initiator({ principal: "alice", password: "x" }),
          "KDC_UNREACHABLE",
          "EXAMPLE.TEST",
          "port 88",
        );
        await fails(() => firstToken("host@localhost"), "KDC_UNREACHABLE", "EXAMPLE.TEST");
      },
    );
  });

  test("a wrong password, an unknown user, an expired password, a locked account", async () => {
    const login = (principal: string, password: string) => () =>
      Credential.initiator({ principal, password });
    const error = await fails(login("alice", "a-wrong-password"), "PASSWORD_WRONG", "alice");
    assert.ok(!error.message.includes("a-wrong-password"));
    await fails(login("nobody", "x"), "CLIENT_UNKNOWN", "nobody@EXAMPLE.TEST");
    await realm.kadmin([
      "addprinc -clearpolicy -pw p -pwexpire yesterday late",
      "addprinc -clearpolicy -pw p -expire yesterday gone",
    ]);
    await fails(login("late", "p"), "PASSWORD_EXPIRED", "late", "kpasswd");
    await fails(login("gone", "p"), "CLIENT_LOCKED", "gone");
  });

  test("a client keytab that is missing, lacks the key, or is old", async () => {
    const clientKeytab = `FILE:${inRealm("nothing")}`;
    await fails(
      () => Credential.initiator({ ccache: "MEMORY:a", clientKeytab }),
      "NO_TICKET",
      clientKeytab,
      "client keytab",
    );
    await fails(
      () =>
        Credential.initiator({ ccache: "MEMORY:b", principal: "bob", clientKeytab: `FILE:${realm.keytab}` }),
      "NO_TICKET",
      realm.keytab,
      "bob",
    );
    await realm.addPrincipal("carol", "first");
    await realm.kadmin(["cpw -pw second carol"]);
    const old = `FILE:${realm.usersKeytab}`;
    const credential = () =>
      Credential.initiator({ ccache: "MEMORY:c", principal: "carol", clientKeytab: old });
    await fails(credential, "PASSWORD_WRONG", old, "ktadd", "carol");
  });

  test("a context whose ticket has ended", async () => {
    await realm.kinit("alice", { ccache: "short", lifetime: 1 });
    const credential = await Credential.initiator({ ccache: `FILE:${inRealm("short")}` });
    const pair = await newPair({ credential });
    // klist -s is the library's own opinion on whether the ticket is over.
    while (spawnSync("klist", ["-s", "-c", inRealm("short")]).status === 0);
    await fails(() => pair.initiator.timeLeft(), "CONTEXT_EXPIRED", "fresh ticket");
    await fails(() => pair.initiator.inquire(), "CONTEXT_EXPIRED");
    pair.close();
  });
});

suite("acceptor", () => {
  const acquire = (keytab: string, name?: string) =>
    Credential.acceptor({
      keytab: `FILE:${keytab}`,
      name: name === undefined ? undefined : Name.import(name),
    });

  test("a keytab that is missing, empty, or unreadable", async () => {
    const nothing = inRealm("nothing");
    await fails(() => acquire(nothing), "KEYTAB_MISSING", nothing, "does not exist", "ktadd");
    await fails(() => acquire(nothing, "rcmd@localhost"), "KEYTAB_MISSING", nothing, "does not exist");
    writeFileSync(inRealm("empty"), "");
    await fails(() => acquire(inRealm("empty")), "KEYTAB_MISSING", inRealm("empty"), "no key in it");
    await fails(() => Credential.acceptor({ keytab: "NOSUCH:x" }), "KEYTAB_MISSING", "NOSUCH:x", "type");
  });

  test("a keytab that belongs to somebody else", async () => {
    const theirs = inRealm("theirs");
    copyFileSync(realm.keytab, theirs);
    if (process.getuid?.() !== 0) {
      // Nothing can be given away, but this keeps its owner out too.
      chmodSync(theirs, 0);
      await fails(() => acquire(theirs), "KEYTAB_UNREADABLE", theirs, `uid ${process.getuid?.()}`, "chown");
      return;
    }
    chmodSync(realm.dir, 0o755);
    chmodSync(process.env.KRB5_CONFIG as string, 0o644);
    process.seteuid?.(65534);
    try {
      // The calls run on pool threads: seteuid must have reached them too.
      await fails(() => acquire(theirs), "KEYTAB_UNREADABLE", theirs, "uid 65534", "chown");
    } finally {
      process.seteuid?.(0);
    }
  });

  test("a keytab without the key that is asked for", async () => {
    await fails(() => acquire(realm.keytab, "ftp@localhost"), "KEYTAB_NO_KEY", realm.keytab, "ftp/localhost");
    const other = inRealm("host.keytab");
    await realm.kadmin([`ktadd -norandkey -k ${other} host/localhost`]);
    await fails(
      async () => accept(await firstToken(), other),
      "KEYTAB_NO_KEY",
      other,
      "rcmd/localhost@EXAMPLE.TEST",
      "ktadd",
    );
  });

  test("a keytab of before the last key change", async () => {
    const old = inRealm("old.keytab");
    copyFileSync(realm.keytab, old);
    await realm.kadmin(["cpw -randkey socks/localhost"]);
    await fails(
      async () => accept(await firstToken("socks@localhost"), old),
      "KEYTAB_OLD_KVNO",
      old,
      "socks/localhost@EXAMPLE.TEST",
      "kvno 3",
      "ktadd",
    );
  });

  test("a keytab that no longer has the ticket's key", async () => {
    const pruned = inRealm("pruned.keytab");
    await realm.ktadd("host/localhost", pruned);
    await realm.ktadd("host/localhost", pruned);
    await realm.kinit("alice", { ccache: "before" });
    const credential = await Credential.initiator({ ccache: `FILE:${inRealm("before")}` });
    const token = await firstToken("host@localhost", { credential });
    credential.close();
    await realm.kadmin([`ktremove -q -k ${pruned} host/localhost old`]);
    await accept(token, pruned);
    await realm.ktadd("host/localhost", pruned);
    await realm.kadmin([`ktremove -q -k ${pruned} host/localhost old`]);
    await fails(
      () => accept(token, pruned),
      "TICKET_OLD_KVNO",
      pruned,
      "kvno 4",
      "host/localhost@EXAMPLE.TEST",
      "kinit",
    );
  });

  test("a key with the right number that is not the KDC's", async () => {
    const wrong = inRealm("wrong.keytab");
    const input = `addent -password -p rcmd/localhost -k 2 -e aes256-cts\nnot-it\nwkt ${wrong}\nq\n`;
    assert.equal(spawnSync("ktutil", { input, env: { ...process.env, ...realm.env } }).status, 0);
    await fails(
      async () => accept(await firstToken(), wrong),
      "KEYTAB_WRONG_KEY",
      wrong,
      "rcmd/localhost@EXAMPLE.TEST",
    );
  });

  test("a clock that differs, also inside SPNEGO", async () => {
    const ccache = ccacheAhead(1200);
    const credential = await Credential.initiator({ ccache });
    await fails(async () => accept(await firstToken("rcmd@localhost", { credential })), "CLOCK_SKEW", "NTP");
    const mechanism = GSS_MECH_SPNEGO;
    const negotiating = await Credential.initiator({ ccache, mechanisms: [mechanism] });
    const token = await firstToken("rcmd@localhost", { credential: negotiating, mechanism });
    await fails(() => accept(token, realm.keytab, [mechanism]), "CLOCK_SKEW");
  });

  test("a replay; the error token is there for the peer", async () => {
    const token = await firstToken();
    await accept(token);
    const error = await fails(() => accept(token), "REPLAY");
    assert.ok((error.outputToken?.length ?? 0) > 0);
  });

  test("a replay cache that can't be written", async () => {
    const credential = await Credential.acceptor({
      keytab: `FILE:${realm.keytab}`,
      rcache: `file2:${inRealm("none/rcache")}`,
    });
    const token = await firstToken();
    await fails(
      () => SecurityContext.acceptor({ credential }).accept(token),
      "RCACHE_UNUSABLE",
      inRealm("none/rcache"),
    );
    await fails(
      () => Credential.acceptor({ keytab: `FILE:${realm.keytab}`, rcache: "nosuch:x" }),
      "RCACHE_UNUSABLE",
    );
  });

  test("noise, a cut token, a damaged one", async () => {
    const token = await firstToken();
    for (const bad of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      token.subarray(0, 100),
      token.subarray(0, -1),
    ]) {
      await fails(() => accept(bad), "BAD_TOKEN");
    }
    const damaged = Buffer.from(token);
    damaged[damaged.length - 10] = (damaged[damaged.length - 10] ?? 0) ^ 1;
    await fails(() => accept(damaged), "BAD_TOKEN");
  });

  test("a mechanism that is not accepted, and an empty token", async () => {
    const token = await firstToken("rcmd@localhost", { mechanism: GSS_MECH_SPNEGO });
    await fails(() => accept(token), "MECHANISM_NOT_ACCEPTED");
    await fails(() => accept(Buffer.alloc(0)), "MECHANISM_NOT_ACCEPTED");
  });

  test("channel bindings that differ", async () => {
    await fails(
      () => newPair({ channelBindings: Buffer.from("this"), acceptorBindings: Buffer.from("that") }),
      "CHANNEL_BINDINGS",
      "TLS",
    );
  });
});

test("a failure nobody foresaw keeps both status texts, and no control character", () => {
  const failure = {
    code: "ERR_GSS",
    call: "gss_wrap",
    major: 0xd0000,
    majorText: "a",
    minor: 7,
    minorText: "b\u001b[2J\nc",
  };
  const error = toError(Object.assign(new Error("x"), failure)) as GssError;
  assert.equal(error.code, "GSS_FAILURE");
  assert.equal(error.message, "gss_wrap: a; b?[2J?c");
});
