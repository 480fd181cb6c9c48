/**
 * What is tested: which way `gssocks forward` sends what curl asks for, with a real DNS server in a network of the test's own:
 * direct, refused, or through the proxy, by each of its protocols; that no name is looked up here but those that go direct;
 * the auto-configuration that it has for browsers, read by pactester. And proxies that DNS names: who is not trusted is sent
 * nothing.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { udpAssociate } from "../../src/index.js";
import { CAROL } from "../support/command-client.js";
import { startDnsServer } from "../support/dns-server.js";
import { Forwarder } from "../support/forwarder.js";
import { gssocks } from "../support/gssocks.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { Origin } from "../support/origin.js";
import { usersFile } from "../support/passwords.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const DNS = { address: "127.0.0.53", port: 53 };
/** Where names lead here, and where the proxy takes them. */
const HERE = "192.0.2.10";
const THERE = "192.0.2.20";
const PROXY = "192.0.2.30";
const EVIL = "192.0.2.66";
const NETWORK = {
  ip: [HERE, THERE, PROXY, EVIL].map((address) => `addr add ${address}/32 dev lo`),
  dns: [`nameserver ${DNS.address}`, "options timeout:1 attempts:1"],
};

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("direct, refused, and through", async (t) => {
    const named = (name: string) => `host-record=${name}.example.test,${HERE}`;
    const dns = await startDnsServer(
      t,
      [
        ...["direct", "a.direct", "through", "refused"].map(named),
        "host-record=sly.direct.example.test,127.0.0.1",
        `host-record=proxy.example.test,${PROXY}`,
        `host-record=evil.test,${EVIL}`,
        "srv-host=_gssocks._tcp.example.test,proxy.example.test,1080,20,1",
        "srv-host=_gssocks._tcp.example.test,evil.test,1080,10,1",
      ],
      DNS,
    );
    const answer = (text: string) => `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${text}`;
    const web = (host: string, text: string) =>
      Origin.start((socket) => socket.once("data", () => socket.end(answer(text))), host, 8080);
    const origins = [await web(HERE, "here"), await web(THERE, "there"), await web("127.0.0.1", "loopback")];
    const evil = await Origin.start(() => {}, EVIL, 1080);
    t.after(() => Promise.all([...origins, evil].map((each) => each.stop())));
    const { realm, proxy } = await proxiedRealm(t, async ({ dir }) => ({
      listeners: [
        { address: "127.0.0.1:0" },
        { address: `${PROXY}:1080`, methods: ["gssapi", "password"], acceptClearTextPasswords: true },
      ],
      passwords: { file: await usersFile(dir) },
      rules: [
        // A rule that leads elsewhere has no name looked up.
        { allow: { to: ["*.example.test"], command: ["connect"] }, redirect: THERE },
        { allow: { to: [HERE, THERE, PROXY] } },
      ],
    }));
    const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME };
    const forward = async (...args: string[]) => {
      const forwarder = await Forwarder.start(args, env);
      showOnFailure(t, async () => forwarder.logs());
      t.after(() => forwarder.stop());
      return forwarder;
    };
    const curl = async (forwarder: Forwarder, scheme: string, host: string) => {
      const through = `${scheme}://127.0.0.1:${forwarder.port}`;
      const args = ["-q", "-sS", "--noproxy", "", "--max-time", "60", "-x", through, `http://${host}:8080/`];
      const { code, stdout } = await runToEnd("curl", args);
      return code === 0 ? stdout : `curl ${code}`;
    };

    const forwarder = await forward(
      "--proxy",
      proxy.address,
      "--direct",
      "direct.example.test, 192.0.2.10/32",
      "--refuse",
      "refused.example.test,192.0.2.20",
    );

    for (const scheme of ["socks5h", "socks4a", "http"]) {
      await t.test(`by ${scheme}`, async () => {
        const isNew = proxy.later();
        const ask = (host: string) => curl(forwarder, scheme, host);
        assert.equal(await ask("direct.example.test"), "here");
        assert.equal(await ask("a.direct.example.test"), "here");
        assert.equal(await ask(HERE), "here");
        assert.notEqual(dns.queries("direct.example.test"), 0, "it is this DNS server that is asked");

        assert.equal(
          await ask("through.example.test"),
          "there",
          "though it is in the network that goes direct",
        );
        const failed = { socks5h: "curl 97", socks4a: "curl 97", http: "403 Forbidden" }[scheme] as string;
        for (const host of ["refused.example.test", THERE, "sly.direct.example.test"])
          assert.ok((await ask(host)).startsWith(failed), host);

        assert.equal((await proxy.audit(isNew)).destination, "through.example.test:8080");
        assert.equal(proxy.audits().filter(isNew).length, 1, "the others never came to the proxy");
      });
    }
    for (const name of ["through.example.test", "refused.example.test"])
      assert.equal(dns.queries(name), 0, name);
    const reasons = forwarder
      .log()
      .flatMap(({ msg, reason }) => (msg === "session failed" ? [String(reason)] : []));
    assert.match(reasons[0] ?? "", /denies refused\.example\.test: it is on the list of what is refused/);
    assert.match(reasons[2] ?? "", /sly\.direct\.example\.test.*unless the list has the address/);

    await t.test("datagrams", async (t) => {
      const isNew = proxy.later();
      const at = { host: "127.0.0.1", port: forwarder.port };
      const association = await udpAssociate({ proxy: at, methods: ["none"] });
      t.after(() => association.close());
      for (const host of [HERE, PROXY]) {
        const peer = createSocket("udp4").on("message", (data, { port, address }) =>
          peer.send(data, port, address),
        );
        t.after(() => peer.close());
        peer.bind(0, host);
        await once(peer, "listening");
        const answer = once(association, "message");
        association.send(Buffer.from("ping"), { host, port: peer.address().port });
        assert.equal(String((await answer)[0]), "ping");
      }
      association.close();
      await proxy.audit(isNew);
      const seen = proxy.log().filter((line) => isNew(line) && line.msg === "destination allowed");
      assert.deepEqual(
        seen.map(({ destination }) => String(destination).replace(/:\d+$/, "")),
        [PROXY],
      );
    });

    await t.test("/proxy.pac", async () => {
      const at = `127.0.0.1:${forwarder.port}`;
      const { stdout: pac } = await run("curl", ["-q", "-sSf", "--noproxy", "*", `http://${at}/proxy.pac`]);
      const file = path.join(realm.dir, "proxy.pac");
      writeFileSync(file, pac);
      for (const [url, expected] of [
        ["http://a.direct.example.test/", "DIRECT"],
        [`https://${HERE}:8443/`, "DIRECT"],
        ["http://through.example.test/", `PROXY ${at}`],
        ["http://refused.example.test/", `PROXY ${at}`],
      ] as const) {
        const { stdout } = await run("pactester", ["-p", file, "-u", url]);
        assert.equal(stdout.trim(), expected, url);
      }
      assert.equal(dns.queries("through.example.test"), 0);
    });

    await t.test("a reload changes the lists, and what browsers are told", async () => {
      const file = path.join(realm.dir, "forward.yaml");
      const upstreams = { proxy: { proxies: [proxy.address] } };
      const write = (lists: object) => {
        const listeners = [{ address: "127.0.0.1:0" }];
        writeFileSync(file, stringify({ listeners, upstreams, ...lists }));
      };
      write({ direct: [".example.test"] });
      const reloaded = await forward("--config", file);
      const pac = async () => {
        const at = `http://127.0.0.1:${reloaded.port}/proxy.pac`;
        return (await run("curl", ["-q", "-sSf", "--noproxy", "*", at])).stdout;
      };
      assert.equal(await curl(reloaded, "socks5h", "a.direct.example.test"), "here");
      assert.match(await pac(), /endsWith\(name, "\.example\.test"\)/);
      write({ refuse: ["a.direct.example.test"] });
      reloaded.signal("SIGHUP");
      await reloaded.waitForLog(({ msg }) => msg === "reloaded");
      assert.equal(await curl(reloaded, "socks5h", "a.direct.example.test"), "curl 97");
      assert.equal(await curl(reloaded, "socks5h", "direct.example.test"), "there");
      assert.doesNotMatch(await pac(), /example\.test/);
    });

    await t.test("a password in clear to another host, where it is said", async () => {
      const file = path.join(realm.dir, "password");
      writeFileSync(file, CAROL.password);
      const password = ["--user", CAROL.name, "--password-file", file, "--send-clear-text-password"];
      const at = ["--proxy", "proxy.example.test:1080"];
      const forwarder = await forward(...at, ...password);
      assert.equal(await curl(forwarder, "socks5h", "through.example.test"), "there");
      const destination = ["connect", "through.example.test", "8080", ...at];
      const { stdout } = await gssocks([...destination, ...password], {
        env,
        input: "GET / HTTP/1.0\r\n\r\n",
      });
      assert.match(stdout, /there$/);
    });

    await t.test("proxies that DNS names: who is not trusted is sent nothing", async () => {
      const found = await forward("--srv", "example.test");
      assert.equal(await curl(found, "socks5h", "through.example.test"), "there");
      const { proxies, refused } = await found.waitForLog(({ msg }) => msg === "proxies found");
      assert.deepEqual([proxies, refused], [["proxy.example.test:1080"], ["evil.test:1080"]]);

      const strict = await forward("--srv", "example.test", "--trusted", "other.test,*.other.test");
      assert.equal(await curl(strict, "socks5h", "through.example.test"), "curl 97");
      const { reason } = await strict.waitForLog(({ msg }) => msg === "session failed");
      assert.match(String(reason), /no proxy is known: DNS names none that is trusted/);
      assert.equal(evil.sockets.length, 0);

      const lax = await forward("--srv", "example.test", "--trusted", "*.example.test,evil.test");
      const ask = curl(lax, "socks5h", "through.example.test");
      (await evil.next()).destroy();
      assert.equal(await ask, "there", "a proxy that is trusted and no good is passed over");
    });
  });
});
