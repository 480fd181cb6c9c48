/**
 * HTTP clients that others wrote, at listeners that take HTTP: curl (CONNECT and absolute URIs; nobody asked, Basic, Negotiate
 * with a ticket, TLS to the proxy), wget and Python's urllib. For each the rules and the audit trail know who it was and how it
 * said so; who may not in is told 407 or 403, and nothing is let in by less than is configured.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { HttpOrigin } from "../support/http-origin.js";
import { listeningServer } from "../support/listening-server.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";

const BODY = randomBytes(1 << 20);
const PASSWORD = "alice-http-8823";
const SPNEGO = { gssapi: { protectionLevels: ["none"] } };

test("HTTP clients that others wrote", async (t) => {
  let authority = "";
  let certificate = { certificate: "", key: "" };
  const { proxy, realm } = await proxiedRealm(
    t,
    async ({ dir }) => {
      const made = await makeAuthority(dir);
      authority = made.certificate;
      certificate = await makeCertificate(dir, "localhost", "DNS:localhost,IP:127.0.0.1", made);
      const users = path.join(dir, "users");
      await run("htpasswd", ["-cbB", users, "alice", PASSWORD]);
      const listener = (rest: object) => ({ address: "127.0.0.1:0", http: true, ...rest });
      return {
        listeners: [
          listener({ methods: ["none"] }),
          listener({ methods: ["password"] }),
          listener({ methods: ["gssapi"], ...SPNEGO }),
          listener({ methods: ["gssapi", "password"], ...SPNEGO, tls: certificate }),
          listener({ methods: ["gssapi", "password"], gssapi: { protectionLevels: ["confidentiality"] } }),
        ],
        passwords: { file: users },
        penalties: { failedAuthentication: "0s" },
        rules: [
          { allow: { to: ["localhost"], method: ["none"] } },
          { allow: { to: ["localhost"], method: ["password"], user: ["alice"] } },
          { allow: { to: ["localhost"], method: ["gssapi"], principal: ["alice@EXAMPLE.TEST"] } },
        ],
      };
    },
    { services: ["HTTP/localhost"] },
  );
  const [open, guarded, tickets, secured, sealed] = proxy.ports as [number, number, number, number, number];
  const origin = await HttpOrigin.start(t, ({ method, body }, response) => {
    if (method === "POST") response.end(createHash("sha256").update(body, "latin1").digest("hex"));
    else response.end(BODY);
  });
  const https = createServer({
    cert: await readFile(certificate.certificate),
    key: await readFile(certificate.key),
  });
  https.on("request", (_, response) => response.end(BODY));
  const securePort = await listeningServer(t, https);
  const url = `http://localhost:${origin.port}/`;
  const secureUrl = `https://localhost:${securePort}/`;
  const output = path.join(realm.dir, "fetched");
  const upload = path.join(realm.dir, "upload");
  await writeFile(upload, BODY);
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME, no_proxy: "" };
  const curl = [
    "curl",
    "-q",
    "-sS",
    "--fail",
    "--max-time",
    "20",
    "--noproxy",
    "",
    "--cacert",
    authority,
    "-o",
    output,
  ];
  const basic = (password = PASSWORD) => ["--proxy-basic", "--proxy-user", `alice:${password}`];
  const negotiate = ["--proxy-negotiate", "--proxy-user", ":"];
  const through = (port: number, scheme = "http") => [
    "-x",
    `${scheme}://localhost:${port}`,
    "--proxy-cacert",
    authority,
  ];

  const nobody = { method: "none", principal: null };
  const byPassword = { method: "password", principal: "alice" };
  const byTicket = { method: "gssapi", principal: "alice@EXAMPLE.TEST", level: "none", mechanism: "krb5" };
  async function assertServed(command: readonly string[], expected: object, sessions = 1): Promise<void> {
    const isNew = proxy.later();
    const [program = "", ...args] = command;
    await run(program, args, { env });
    const records = await served(isNew, sessions);
    // A client may close for good before the origin's TLS has said its last.
    const outcome = command.at(-1)?.startsWith("https:") ? {} : { outcome: "completed" };
    for (const record of records)
      for (const [key, value] of Object.entries({ ...expected, ...outcome, command: "connect" }))
        assert.equal(record[key], value, `${key} of ${JSON.stringify(record)}`);
  }
  async function served(isNew: (line: LogLine) => boolean, sessions: number): Promise<LogLine[]> {
    const seen = new Map<unknown, LogLine>();
    await proxy.waitForLog((line) => {
      if (isNew(line) && line.msg === "audit" && line.type === "session") seen.set(line.session, line);
      return seen.size === sessions;
    });
    return [...seen.values()];
  }
  async function assertFetched(): Promise<void> {
    const hash = (octets: Buffer) => createHash("sha256").update(octets).digest("hex");
    assert.equal(hash(await readFile(output)), hash(BODY));
    await writeFile(output, "");
  }

  const cases: [what: string, port: number, options: string[], expected: object, scheme?: string][] = [
    ["nobody asked", open, [], nobody],
    ["credentials that nobody asked for", open, basic(), nobody],
    ["Basic", guarded, basic(), byPassword],
    [
      "Basic, when asked for it",
      guarded,
      ["--proxy-anyauth", "--proxy-user", `alice:${PASSWORD}`],
      byPassword,
    ],
    ["Negotiate", tickets, negotiate, byTicket],
    ["Negotiate, when asked for it", tickets, ["--proxy-anyauth", "--proxy-user", ":"], byTicket],
    ["Negotiate inside TLS", secured, negotiate, byTicket, "https"],
    ["Basic inside TLS", secured, basic(), byPassword, "https"],
  ];
  for (const [what, port, options, expected, scheme] of cases) {
    await t.test(`curl: ${what}`, async () => {
      const common = [...curl, ...through(port, scheme), ...options];
      await assertServed([...common, url], expected);
      await assertFetched();
      await assertServed([...common, "--proxytunnel", url], expected);
      await assertFetched();
      await assertServed([...common, secureUrl], expected);
      await assertFetched();
      // A second request on the same connection is a session of its own, and the same person's.
      await assertServed([...common, url, "-o", output, `${url}again`], expected, 2);
      // It learns what is asked for by a session of its own, where it would have to send the body twice.
      if (options.includes("--proxy-anyauth")) return;
      await assertServed([...common, "--data-binary", `@${upload}`, url], expected);
      assert.equal(await readFile(output, "utf8"), createHash("sha256").update(BODY).digest("hex"));
    });
  }

  const refusals: [what: string, port: number, options: string[], status: number, code: string][] = [
    ["a wrong password", guarded, basic("wrong-http-1"), 407, "BAD_PASSWORD"],
    ["no password", guarded, [], 407, "AUTHENTICATION_REQUIRED"],
    ["no ticket where one is wanted", tickets, [], 407, "AUTHENTICATION_REQUIRED"],
    ["a password where a ticket is wanted", tickets, basic(), 407, "AUTHENTICATION_REQUIRED"],
    ["Negotiate where the levels seal", sealed, negotiate, 407, "AUTHENTICATION_REQUIRED"],
  ];
  for (const [what, port, options, status, code] of refusals) {
    await t.test(`curl: ${what}`, async () => {
      for (const [target, how] of [
        [url, "%{http_code}"],
        [secureUrl, "%{http_connect}"],
      ] as const) {
        const isNew = proxy.later();
        const args = [...curl.slice(1), ...through(port), ...options, "-w", how, target];
        const { code: exit, stdout, stderr } = await runToEnd("curl", args, { env });
        assert.notEqual(exit, 0);
        assert.equal(stdout, String(status), stderr);
        const [record] = await served(isNew, 1);
        assert.equal(record?.code, code);
      }
    });
  }

  await t.test("who may not go there is told so, and not asked again", async () => {
    const bob = await realm.kinit("bob", { ccache: "bob" });
    const isNew = proxy.later();
    const args = [...curl.slice(1), ...through(tickets), ...negotiate, "-w", "%{http_connect}", secureUrl];
    const { stdout, stderr } = await runToEnd("curl", args, { env: { ...env, KRB5CCNAME: bob } });
    assert.equal(stdout, "403", stderr);
    const [record] = await served(isNew, 1);
    assert.deepEqual([record?.code, record?.principal], ["RULE_DENIED", "bob@EXAMPLE.TEST"]);
  });

  await t.test("without a ticket curl does not get in by Negotiate", async () => {
    const isNew = proxy.later();
    const args = [...curl.slice(1), ...through(tickets), ...negotiate, url];
    const none = { ...env, KRB5CCNAME: `FILE:${path.join(realm.dir, "none")}` };
    assert.notEqual((await runToEnd("curl", args, { env: none })).code, 0);
    const [record] = await served(isNew, 1);
    assert.equal(record?.outcome, "denied");
  });

  await t.test("wget", async () => {
    const wget = (port: number, target: string, ...options: string[]) => [
      ...["wget", "--no-config", "-q", "-O", output, `--ca-certificate=${authority}`],
      ...[
        "-e",
        "use_proxy=yes",
        "-e",
        `http_proxy=localhost:${port}`,
        "-e",
        `https_proxy=localhost:${port}`,
        ...options,
        target,
      ],
    ];
    for (const target of [url, secureUrl]) {
      await assertServed(wget(open, target), nobody);
      await assertFetched();
      await assertServed(
        [...wget(guarded, target, "--proxy-user=alice", `--proxy-password=${PASSWORD}`)],
        byPassword,
      );
      await assertFetched();
    }
  });

  await t.test("Python's urllib", async () => {
    const script = path.join(realm.dir, "fetch.py");
    await writeFile(script, FETCH);
    const python = (through: string, target: string) => [
      "python3",
      script,
      through,
      authority,
      output,
      target,
    ];
    for (const target of [url, secureUrl]) {
      await assertServed(python(`http://localhost:${open}`, target), nobody);
      await assertFetched();
      const named = `http://alice:${PASSWORD}@localhost:${guarded}`;
      await assertServed(python(named, target), byPassword);
      await assertFetched();
    }
  });

  await t.test("nothing of a password is in the output", () => {
    const secrets = [
      PASSWORD,
      "wrong-http-1",
      ...[PASSWORD, "wrong-http-1"].map((each) => btoa(`alice:${each}`)),
    ];
    for (const secret of secrets) assert.equal(proxy.logs().includes(secret), false);
  });
});

const FETCH = `
import ssl, sys, urllib.request
proxy, authority, output, url = sys.argv[1:]
handlers = [
    urllib.request.ProxyHandler({"http": proxy, "https": proxy}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)),
]
body = urllib.request.build_opener(*handlers).open(url, timeout=20).read()
open(output, "wb").write(body)
`;
