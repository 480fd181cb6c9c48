/** `gssocks identd` as a command: exit status 2 for a bad command line or configuration, 1 when it can't listen. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { Origin } from "../support/origin.js";

test("a configuration without the section, and with a bad one", async (t) => {
  const file = path.join(await scratch(t), "config.yaml");
  const listeners = 'listeners: [{ address: "127.0.0.1:0" }]\n';
  const table: [text: string, says: string][] = [
    [listeners, `gssocks: ${file}: identd: missing; expected a mapping, as \`identd: {}\`\n`],
    [
      `${listeners}identd:\n  answer: name\n  socket: identd.sock\n`,
      `gssocks: ${file}:3: identd.answer: expected one of user, token, found "name"\n` +
        `${file}:4: identd.socket: expected an absolute path of at most 103 octets, found "identd.sock"\n`,
    ],
  ];
  for (const [text, says] of table) {
    await writeFile(file, text);
    const { code, stdout, stderr } = await gssocks(["identd", "--config", file]);
    assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: "", stderr: says });
  }
  const { code, stderr } = await gssocks(["identd"]);
  assert.equal(code, 2);
  assert.match(stderr, /required option '-c, --config <file>' not specified/);
});

test("an address that can't be had", async (t) => {
  const taken = await Origin.start(() => {});
  t.after(() => taken.stop());
  const file = path.join(await scratch(t), "config.yaml");
  const identd = { address: `127.0.0.1:${taken.port}` };
  await writeFile(file, JSON.stringify({ listeners: [{ address: "127.0.0.1:0" }], identd }));
  const { code, stdout, stderr } = await gssocks(["identd", "--config", file]);
  const says = `can't listen on 127.0.0.1 port ${taken.port}: EADDRINUSE (another program listens there)`;
  assert.deepEqual({ code, stderr }, { code: 1, stderr: `gssocks: ${says}\n` });
  const line = JSON.parse(stdout);
  assert.deepEqual(
    [line.severity, line.code, line.reason, line.msg],
    ["fatal", "CANNOT_LISTEN", says, "failed"],
  );
});
