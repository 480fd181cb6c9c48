import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadConfig, MAX_FILE_SIZE, parseConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/errors.js";
import { IpNetwork } from "../../../src/policy/ip-network.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { asking } from "../policy/client.js";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "gssocks-config-"));
});
after(() => rmSync(directory, { recursive: true }));

function problems(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ line, path, message }) => `${line ?? ""}|${path}|${message}`);
  }
  assert.fail("the configuration was accepted");
}

/** What a listener has where the file is silent. */
const PLAIN = {
  methods: ["gssapi"],
  sources: [],
  socks4: null,
  http: false,
  pac: null,
  tls: null,
  owners: null,
};

const LISTENER = 'listeners: [{ address: "127.0.0.1:1080" }]\n';

const PENALTIES = {
  failedAuthentication: 5000,
  handshakeTimeout: 10_000,
  protocolError: 10_000,
  least: 15_000,
  most: 600_000,
  exempt: ["127.0.0.0/8", "::1"].map((each) => IpNetwork.parse(each)),
};

const NO_LIMITS = { sessions: null, sessionsPerMinute: null, bytesPerDay: null, bandwidth: null };

test("the smallest configuration gets the defaults, and denies everything", () => {
  const { rules, ...config } = parseConfig(LISTENER, "f");
  assert.deepEqual(config, {
    listeners: [
      {
        ...PLAIN,
        host: "127.0.0.1",
        port: 1080,
        protectionLevels: ["confidentiality", "integrity"],
        nec: false,
      },
    ],
    gssapi: {
      keytab: null,
      targetNames: null,
      mechanisms: ["1.2.840.113554.1.2.2", "1.3.6.1.5.5.2"],
      fastPath: true,
    },
    passwords: null,
    workers: 1,
    groups: null,
    networksMatchNames: true,
    upstreams: {},
    limits: {
      ...NO_LIMITS,
      sessions: 10_000,
      perSource: { ...NO_LIMITS, sessions: 1000 },
      perUser: NO_LIMITS,
    },
    penalties: PENALTIES,
    commands: ["connect", "bind", "udp-associate"],
    bind: { ports: null },
    udp: {
      ports: null,
      advertise: null,
      destinations: 256,
      datagramsPerSecond: 10_000,
      fromAnyone: false,
    },
    ident: { port: 113, timeout: 5000, concurrency: 64, server: null },
    timeouts: {
      handshake: 30_000,
      connect: 30_000,
      bind: 120_000,
      idle: 3_600_000,
      total: null,
      drain: 30_000,
    },
    log: { level: "info" },
    audit: { target: { to: "log" }, onFull: "block", queue: 10_000 },
    identd: null,
    metrics: null,
    control: null,
  });
  assert.deepEqual(rules, []);
});

test("every key is read and parsed", () => {
  const file = join(directory, "full.yaml");
  writeFileSync(
    file,
    `\uFEFFlisteners:
  - address: "*:0"
  - address: "[::1]:1081"
    gssapi: { protectionLevels: [none], nec: false }
    methods: [certificate, gssapi, password, none]
    sources: [{ from: [10.0.0.0/8, "2001:db8::/32"], methods: [none] }]
    acceptClearTextPasswords: false
    socks4: { identity: ident, users: [alice] }
    tls:
      certificate: /etc/gssocks/cert.pem
      key: /etc/gssocks/key.pem
      clientAuthorities: /etc/gssocks/ca.pem
      clientCertificate: required
      clientIdentity: email
      minVersion: TLSv1.3
      ciphers: TLS_AES_256_GCM_SHA384
      channelBindings: { type: tls-exporter, required: true }
gssapi:
  keytab: /etc/gssocks/krb5.keytab
  protectionLevels: [integrity]
  nec: true
  targetNames: [rcmd@proxy.example.test, socks/proxy.example.test@EXAMPLE.TEST]
  mechanisms: [spnego, iakerb, ntlmssp, 1.2.840.113554.1.2.2]
  fastPath: false
passwords: { file: /etc/gssocks/users }
networksMatchNames: false
upstreams:
  outside:
    proxies: ["proxy.example.test:1080", { address: "[2001:db8::1]:1", targetName: socks@proxy.example.test }]
    srv: example.test
    trusted: [proxy.example.test, "*.proxies.test"]
    order: round-robin
    protocol: http
    method: password
    user: { name: proxy, file: /etc/gssocks/secret }
    tls: { authorities: /etc/gssocks/ca.pem, name: proxy.example.test, channelBindings: tls-exporter }
    gssapi:
      protectionLevels: [integrity]
      service: socks
      ccache: FILE:/run/gssocks/ccache
      clientKeytab: FILE:/etc/gssocks/client.keytab
      principal: proxy@EXAMPLE.TEST
      mechanism: spnego
      nec: true
rules:
  - deny: { to: ["*.bank.test", "10.9.0.0/16"] }
  - allow: { method: [empty, none] }
  - allow: {}
commands: [connect, udp-associate]
bind: { ports: 40000-40999 }
udp: { ports: 41000-41000, advertise: "2001:db8::9", destinations: 1, datagramsPerSecond: 2, fromAnyone: true }
ident: { port: 1113, timeout: 1s, concurrency: 2, server: "192.0.2.1:113" }
workers: auto
limits: { sessions: 2, perSource: { sessions: 1, bytesPerDay: 1.5GB }, perUser: { bandwidth: { up: 8kbit/s } } }
penalties: { failedAuthentication: 0s, least: 1m, exempt: [192.0.2.0/24] }
timeouts: { handshake: 500ms, connect: 5s, bind: 1m, idle: never, total: 8h, drain: 0s }
log: { level: debug }
audit: { file: /var/log/gssocks/audit.jsonl, fsync: always, onFull: drop, queue: 5 }
identd:
  address: "[::1]:1113"
  socket: /run/proxy/identd
  answer: token
  forward: 127.0.0.1:114
  unknown: hidden-user
metrics: { address: 127.0.0.1:0, remote: false }
control: { socket: /run/proxy/control }
`,
  );
  const { rules, ...config } = loadConfig(file);
  assert.deepEqual(config.listeners[1]?.sources[0]?.from.map(String), ["10.0.0.0/8", "2001:db8::/32"]);
  for (const { sources } of config.listeners) for (const source of sources) source.from = [];
  assert.deepEqual(config, {
    listeners: [
      { ...PLAIN, host: "::", port: 0, protectionLevels: ["integrity"], nec: true },
      {
        host: "::1",
        port: 1081,
        protectionLevels: ["none"],
        nec: false,
        methods: ["certificate", "gssapi", "password", "none"],
        sources: [{ from: [], methods: ["none"] }],
        socks4: { identity: "ident", users: ["alice"] },
        tls: {
          certificate: "/etc/gssocks/cert.pem",
          key: "/etc/gssocks/key.pem",
          clientAuthorities: "/etc/gssocks/ca.pem",
          clientCertificate: "required",
          clientIdentity: "email",
          minVersion: "TLSv1.3",
          ciphers: "TLS_AES_256_GCM_SHA384",
          channelBindings: { type: "tls-exporter", required: true },
        },
        http: false,
        pac: null,
        owners: null,
      },
    ],
    groups: null,
    commands: ["connect", "udp-associate"],
    bind: { ports: { first: 40000, last: 40999 } },
    udp: {
      ports: { first: 41000, last: 41000 },
      advertise: "2001:db8::9",
      destinations: 1,
      datagramsPerSecond: 2,
      fromAnyone: true,
    },
    ident: { port: 1113, timeout: 1000, concurrency: 2, server: { host: "192.0.2.1", port: 113 } },
    gssapi: {
      keytab: "FILE:/etc/gssocks/krb5.keytab",
      targetNames: ["rcmd@proxy.example.test", "socks/proxy.example.test@EXAMPLE.TEST"],
      mechanisms: ["1.3.6.1.5.5.2", "1.3.6.1.5.2.5", "1.3.6.1.4.1.311.2.2.10", "1.2.840.113554.1.2.2"],
      fastPath: false,
    },
    passwords: { file: "/etc/gssocks/users" },
    networksMatchNames: false,
    upstreams: {
      outside: {
        proxies: [
          { host: "proxy.example.test", port: 1080, targetName: undefined },
          { host: "2001:db8::1", port: 1, targetName: "socks@proxy.example.test" },
        ],
        srv: "example.test",
        trusted: ["proxy.example.test", "*.proxies.test"],
        order: "round-robin",
        protocol: "http",
        method: "password",
        user: { name: "proxy", file: "/etc/gssocks/secret" },
        sendClearTextPassword: false,
        tls: {
          authorities: "/etc/gssocks/ca.pem",
          name: "proxy.example.test",
          channelBindings: "tls-exporter",
        },
        gssapi: {
          protectionLevels: ["integrity"],
          service: "socks",
          credential: "own",
          ccache: "FILE:/run/gssocks/ccache",
          clientKeytab: "FILE:/etc/gssocks/client.keytab",
          principal: "proxy@EXAMPLE.TEST",
          mechanism: "1.3.6.1.5.5.2",
          nec: true,
        },
      },
    },
    workers: "auto",
    limits: {
      ...NO_LIMITS,
      sessions: 2,
      perSource: { ...NO_LIMITS, sessions: 1, bytesPerDay: 1.5e9 },
      perUser: { ...NO_LIMITS, bandwidth: { up: 1000, down: null } },
    },
    penalties: {
      ...PENALTIES,
      failedAuthentication: 0,
      least: 60_000,
      exempt: [IpNetwork.parse("192.0.2.0/24")],
    },
    timeouts: { handshake: 500, connect: 5000, bind: 60_000, idle: null, total: 28_800_000, drain: 0 },
    log: { level: "debug" },
    audit: {
      target: { to: "file", path: "/var/log/gssocks/audit.jsonl", fsync: "always" },
      onFull: "drop",
      queue: 5,
    },
    identd: {
      address: { host: "::1", port: 1113 },
      socket: "/run/proxy/identd",
      answer: "token",
      forward: { host: "127.0.0.1", port: 114 },
      unknown: "HIDDEN-USER",
    },
    metrics: { host: "127.0.0.1", port: 0 },
    control: { socket: "/run/proxy/control" },
  });
  assert.deepEqual(
    rules.map(({ text }) => text),
    ["deny: { to: [*.bank.test, 10.9.0.0/16] }", "allow: { method: [empty, none] }", "allow: {}"],
  );
  const ruleset = new Ruleset(rules, () => false);
  assert.equal(ruleset.evaluate({ ...asking(), name: null, address: "10.9.0.1", port: 80 }).rule, 1);
  assert.equal(ruleset.evaluate({ ...asking(), name: null, address: "10.8.0.1", port: 80 }).rule, 3);
});

test("identd by its defaults", () => {
  assert.deepEqual(parseConfig(`${LISTENER}identd: {}`, "f").identd, {
    address: { host: "::", port: 113 },
    socket: "/run/gssocks/identd.sock",
    answer: "user",
    forward: null,
    unknown: "NO-USER",
  });
});

test("all problems are told at once, with line and key path", () => {
  const source = `listeners:
  - address: 127.0.0.1:1080
    gssapi: { nec: 1 }
  - addres: 127.0.0.1:1081
gssapi:
  keytab:
  protectionLevels: [integrity, selective]
rules:
  - deny:
      to:
        - 10.0.0.0/8
        - 10.9.0.0/8
  - allow:
  - {}
  - { allow: {}, deny: {} }
limits: { sessions: 0, perSource: { sessions: 1.5 } }
timeouts:
  idle: 30
log: { level: loud }
relay: {}
identd: { address: localhost, socket: run, answer: name, forward: "*:114", unknown: none }
`;
  const mapping = "expected a mapping, found nothing";
  const one = "expected either allow or deny, as `allow: {}`";
  const levels = "expected one of confidentiality, integrity, none";
  assert.deepEqual(
    problems(() => parseConfig(source, "f")),
    [
      "3|listeners[0].gssapi.nec|expected true or false, found the number 1",
      "4|listeners[1].address|missing; expected an IP address and a port, as 127.0.0.1:1080, or unix:/path or systemd:NAME",
      "4|listeners[1].addres|unknown key; expected one of address, gssapi, methods, sources, acceptClearTextPasswords, socks4, http, pac, tls, owners",
      "6|gssapi.keytab|expected an absolute path, found nothing",
      `7|gssapi.protectionLevels[1]|${levels}, found "selective" (which only clients offer: a server answers it with one of its own levels)`,
      '12|rules[0].deny.to[1]|expected a network without host bits: 10.0.0.0/8, found "10.9.0.0/8"',
      `13|rules[1].allow|${mapping}`,
      `14|rules[2]|${one}`,
      `15|rules[3]|${one}`,
      "16|limits.sessions|expected at least 1, found the number 0",
      "16|limits.perSource.sessions|expected a whole number, found the number 1.5",
      '18|timeouts.idle|expected a number with its unit, as "500ms", "30s", "5m" or "8h", or "never", found the number 30',
      '19|log.level|expected one of fatal, error, warn, info, debug, trace, silent, found "loud"',
      "20|relay|unknown key; expected one of listeners, gssapi, passwords, commands, bind, udp, ident, groups, rules, networksMatchNames, upstreams, workers, limits, penalties, timeouts, log, audit, identd, metrics, control",
      '21|identd.address|expected an IP address and a port, as 127.0.0.1:1080, [::1]:1080 or *:1080 (quoted in YAML), found "localhost"',
      '21|identd.socket|expected an absolute path of at most 103 octets, found "run"',
      '21|identd.answer|expected one of user, token, found "name"',
      '21|identd.forward|expected one IP address and a port, as 127.0.0.1:114, found "*:114"',
      '21|identd.unknown|expected one of no-user, hidden-user, found "none"',
    ],
  );
});

test("what a listener's methods need", () => {
  const source = (listener: string) => `listeners: [{ ${listener} }]\npasswords: { file: /users }`;
  const clear =
    "passwords would cross the network in clear: add tls, listen on loopback, or say acceptClearTextPasswords: true";
  const tls = "tls: { certificate: /c, key: /k }";
  const sealed =
    "no client could be let in: HTTP has the method gssapi (Negotiate) only where gssapi.protectionLevels contain none";
  const table: [listener: string, problem: string | null][] = [
    ['address: "*:1080", http: true', `1|listeners[0].http|${sealed}`],
    ['address: "*:1080", http: true, gssapi: { protectionLevels: [integrity, none] }', null],
    ['address: "*:1080", http: true, sources: [{ from: [10.0.0.0/8], methods: [none] }]', null],
    ['address: "*:1080", methods: [password]', `1|listeners[0].methods|${clear}`],
    [
      'address: "*:1080", sources: [{ from: [10.0.0.0/8], methods: [password] }]',
      `1|listeners[0].methods|${clear}`,
    ],
    ['address: "127.0.0.1:1080", methods: [password]', null],
    [`address: "*:1080", methods: [password], ${tls}`, null],
    ['address: "*:1080", methods: [password], acceptClearTextPasswords: true', null],
    [
      `address: "*:1080", methods: [certificate], ${tls}`,
      "1|listeners[0].methods|the method certificate needs tls.clientAuthorities",
    ],
    ['address: "127.0.0.1:1080", socks4: { identity: asserted, users: [alice] }', null],
    [
      'address: "127.0.0.1:1080", socks4: { identity: none, users: [alice] }',
      "1|listeners[0].socks4.users|where identity is none no name is looked at, so a list of them would keep nobody out",
    ],
  ];
  for (const [listener, problem] of table) {
    if (problem === null) parseConfig(source(listener), "f");
    else
      assert.deepEqual(
        problems(() => parseConfig(source(listener), "f")),
        [problem],
      );
  }
});

test("the method password needs to know where the passwords are", () => {
  const source = 'listeners: [{ address: "127.0.0.1:1080", methods: [gssapi, password] }]';
  assert.deepEqual(
    problems(() => parseConfig(source, "f")),
    ["1|listeners[0].methods|the method password needs to know where the passwords are: add `passwords`"],
  );
});

test("to act in clients' place takes our keytab, and no ticket of another's", () => {
  const upstream = (gssapi: string) =>
    `upstreams: { next: { proxies: ["proxy:1080"], gssapi: { ${gssapi} } } }`;
  const constrained = upstream("credential: constrained");
  parseConfig(`${LISTENER}gssapi: { keytab: /k }\n${constrained}`, "f");
  for (const [source, problem] of [
    [constrained, "1|gssapi.keytab|an upstream whose credential is constrained needs our keytab to be named"],
    [
      `gssapi: { keytab: /k }\n${upstream("credential: constrained, ccache: FILE:/c")}`,
      "3|upstreams.next.gssapi|the user's credential has no ccache, clientKeytab or principal of ours",
    ],
  ] as const)
    assert.deepEqual(
      problems(() => parseConfig(LISTENER + source, "f")),
      [problem],
    );
});

test("the server of ident is one that can be asked", () => {
  const found = problems(() => parseConfig(`${LISTENER}ident: { server: "*:113" }`, "f"));
  assert.deepEqual(
    found.map((each) => each.replace(/ and a port.*/, "")),
    ["2|ident.server|expected one IP address"],
  );
});

test("problems come in the file's order, not the schema's", () => {
  const found = problems(() => parseConfig("log: { level: loud }\nrules: 1\nlisteners: 2", "f"));
  assert.deepEqual(
    found.map((problem) => problem.split("|", 2).join("|")),
    ["1|log.level", "2|rules", "3|listeners"],
  );
});

test("lists: empty, and twice the same", () => {
  const table: [source: string, problem: RegExp][] = [
    ["listeners: []", /1\|listeners\|the list is empty; name at least one address/],
    [
      `${LISTENER}rules: [{ allow: { to: [] } }]`,
      /2\|rules\[0\]\.allow\.to\|the list is empty; leave `to` out/,
    ],
    [`${LISTENER}rules: [{ allow: { to: db.test } }]`, /to\|expected a list, found "db\.test"/],
    [`${LISTENER}gssapi: { protectionLevels: [] }`, /protectionLevels\|the list is empty/],
    [`${LISTENER}gssapi: { targetNames: [] }`, /targetNames\|the list is empty; leave targetNames out/],
    [
      `${LISTENER}gssapi: { protectionLevels: [none, none] }`,
      /protectionLevels\[1\]\|"none" is listed twice/,
    ],
    [
      `${LISTENER}gssapi: { mechanisms: [krb5, 1.2.840.113554.1.2.2] }`,
      /mechanisms\[1\]\|.* is listed twice/,
    ],
    [
      `${LISTENER}gssapi: { mechanisms: [spnego] }`,
      /mechanisms\|spnego negotiates .* one of them too, as krb5/,
    ],
    [
      'listeners: [{ address: "*:1" }, { address: "[::]:1" }]',
      /listeners\[1\]\.address\|an earlier listener/,
    ],
    ["{}", /1\|listeners\|missing; expected a list/],
  ];
  for (const [source, expected] of table) {
    const found = problems(() => parseConfig(source, "f"));
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] as string, expected, source);
  }
  const twoPicked = 'listeners: [{ address: "127.0.0.1:0" }, { address: "127.0.0.1:0" }]';
  assert.equal(parseConfig(twoPicked, "f").listeners.length, 2);
});

test("what is wrong as YAML is told with its line, and in the words of the file", () => {
  const table: [source: string, problem: RegExp][] = [
    ["", /\|\|expected a mapping, found nothing/],
    ["- a", /1\|\|expected a mapping, found a list/],
    [`${LISTENER}log: {}\nlog: {}`, /3\|\|Map keys must be unique/],
    [`${LISTENER}log: [`, /2\|\|/],
    [`${LISTENER}log: !custom {}`, /2\|\|Unresolved tag/],
    [`${LISTENER}---\n{}`, /\|\|.*multiple documents/],
    [`${LISTENER}rules: [{ allow: { to: [*.a.test] } }]`, /2\|\|\*\.a\.test is an alias in YAML.*quotes/],
    ["listeners:\n  - address: *:1080", /2\|\|.*quotes/],
    [
      `${LISTENER}rules: [{ allow: { to: [[::1]:80] } }]`,
      /2\|\|a key must be text; put an \[address\]:port in quotes/,
    ],
    [`a: &a [0]\nb: [${"*a,".repeat(101)}]`, /more than 100 aliases/],
    [
      `a: &a [${"0,".repeat(10)}]\nb: &b [${"*a,".repeat(10)}]\nc: &c [${"*b,".repeat(10)}]\nd: [*c]`,
      /Excessive alias count/,
    ],
  ];
  for (const [source, expected] of table) {
    const found = problems(() => parseConfig(source, "f"));
    assert.equal(found.length, 1, `${source}\n${found.join("\n")}`);
    assert.match(found[0] as string, expected, source);
  }
});

test("an alias to an anchor works, and problems behind it carry a line", () => {
  const source = `listeners:\n  - &first { address: "127.0.0.1:0" }\n  - *first\nrules:\n  - allow: &bad { to: ["*"] }\n  - deny: *bad\n`;
  const found = problems(() => parseConfig(source, "f"));
  assert.deepEqual(
    found.map((problem) => problem.split("|", 2).join("|")),
    ["5|rules[0].allow.to[0]", "5|rules[1].deny.to[0]"],
  );
});

test("a file that cannot be used is named", () => {
  const write = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const missing = join(directory, "missing.yaml");
  const table: [path: string, problem: RegExp][] = [
    [missing, /cannot be read: ENOENT/],
    [directory, /cannot be read: EISDIR/],
    ["/dev/zero", /larger than 1048576 octets/],
    [
      write("big.yaml", LISTENER + "#".repeat(MAX_FILE_SIZE - LISTENER.length + 1)),
      /larger than 1048576 octets/,
    ],
    [write("latin1.yaml", Buffer.from("# \xe9", "latin1")), /not UTF-8 text/],
  ];
  for (const [path, expected] of table) {
    const found = problems(() => loadConfig(path));
    assert.equal(found.length, 1);
    assert.match(found[0] as string, expected, path);
  }
  assert.throws(() => loadConfig(missing), {
    name: "ConfigError",
    code: "CONFIG_INVALID",
    message: new RegExp(`^${missing}: `),
  });
  const largest = write("largest.yaml", LISTENER + "#".repeat(MAX_FILE_SIZE - LISTENER.length));
  assert.equal(loadConfig(largest).listeners.length, 1);
});

test("workers are a number or auto", () => {
  for (const workers of [1, 256, "auto"])
    assert.equal(parseConfig(`${LISTENER}workers: ${workers}\n`, "f").workers, workers);
  const expected = "expected a whole number from 1 to 256, or auto, found";
  for (const [workers, problem] of [
    ["0", "expected at least 1, found the number 0"],
    ["257", "expected at most 256, found the number 257"],
    ["1.5", `${expected} the number 1.5`],
    ["all", `${expected} "all"`],
    ["", `${expected} nothing`],
  ])
    assert.deepEqual(
      problems(() => parseConfig(`${LISTENER}workers: ${workers}\n`, "f")),
      [`2|workers|${problem}`],
    );
});
