/**
 * What is tested: which METHOD is selected: the first of the server's list that the client offers, whatever the client's
 * order; and `sources`, lists of their own for clients of some networks, the first that holds the client.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const NAMES = { none: 0, gssapi: 1, password: 2 } as const;
type Name = keyof typeof NAMES;

test("which method is selected", async (t) => {
  const orders: Name[][] = [
    ["gssapi", "password", "none"],
    ["none", "password", "gssapi"],
    ["password", "gssapi"],
    ["gssapi"],
  ];
  const sources = [
    { from: ["127.0.0.2"], methods: ["none"] },
    { from: ["127.0.1.0/24", "127.0.2.0/24"], methods: ["password", "none"] },
    { from: ["127.0.0.0/16"], methods: ["gssapi", "none"] },
  ];
  const { proxy } = await proxiedRealm(t, async ({ dir }) => {
    const users = path.join(dir, "users");
    await run("htpasswd", ["-cbB", users, "alice", "alice-password"]);
    return {
      listeners: [
        ...orders.map((methods) => ({ address: "127.0.0.1:0", methods })),
        { address: "127.0.0.1:0", methods: ["gssapi"], sources },
        {
          address: "[::1]:0",
          methods: ["gssapi"],
          sources: [{ from: ["::/64"], methods: ["none"] }, ...sources],
        },
      ],
      passwords: { file: users },
    };
  });

  /** @returns the METHOD selected; 0xff for none */
  async function select(port: number, offered: readonly number[], from: string): Promise<number> {
    const client = await RawClient.connect(port, from.includes(":") ? "::1" : "127.0.0.1", from);
    try {
      client.send(0x05, offered.length, Buffer.from(offered));
      const [version, method] = await client.read(2);
      assert.equal(version, 5);
      return method as number;
    } finally {
      client.close();
    }
  }

  const offers = [
    [0],
    [1],
    [2],
    [0, 1],
    [1, 0],
    [0, 2],
    [2, 1],
    [0, 1, 2],
    [2, 1, 0],
    [2, 0, 1, 3, 0x80],
    [3],
  ];
  for (const [index, order] of orders.entries()) {
    await t.test(`in the server's order: ${order.join(", ")}`, async () => {
      for (const offered of offers) {
        const expected = order
          .map((name) => NAMES[name])
          .find((method) => (offered as number[]).includes(method));
        const selected = await select(proxy.ports[index] as number, offered, "127.0.0.1");
        assert.equal(selected, expected ?? 0xff, `offered ${offered}`);
      }
    });
  }

  const bySource: [from: string, listener: number, offered: number[], selected: number][] = [
    ["127.0.0.2", 4, [0, 1, 2], 0],
    ["127.0.0.2", 4, [1, 2], 0xff],
    ["127.0.0.1", 4, [0, 1, 2], 1],
    ["127.0.0.1", 4, [0], 0],
    ["127.0.0.3", 4, [2], 0xff],
    ["127.0.1.77", 4, [0, 1, 2], 2],
    ["127.0.2.1", 4, [0, 1, 2], 2],
    ["127.1.0.1", 4, [0, 1, 2], 1],
    ["127.1.0.1", 4, [0, 2], 0xff],
    ["::1", 5, [0, 1, 2], 0],
  ];
  for (const [from, listener, offered, selected] of bySource) {
    await t.test(`from ${from}, offered ${offered.join(" ")}`, async () => {
      assert.equal(await select(proxy.ports[listener] as number, offered, from), selected);
    });
  }

  await t.test("the log tells what was offered and what was selected", async () => {
    const client = await RawClient.connect(proxy.port);
    client.send(0x05, 0x02, 0x00, 0x02);
    assert.equal((await client.read(2)).toString("hex"), "0502");
    client.close();
    const line = await proxy.waitForLog(
      (each) => each.msg === "method selected" && each.client === client.address,
    );
    assert.deepEqual([line.offered, line.selected], [[0, 2], 2]);
  });
});
