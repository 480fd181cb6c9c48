/** Which service the ticket in a real token is for, raw and inside SPNEGO; tokens cut off, damaged and made up give no name. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO, SecurityContext } from "../../../src/gss/index.js";
import { ticketService } from "../../../src/gss/ticket-service.js";
import { Realm } from "../../support/realm.js";

const HEADER = "06092a864886f7120102020100";

/** Lengths up to 255 octets. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([
    Buffer.from(body.length < 0x80 ? [tag, body.length] : [tag, 0x81, body.length]),
    body,
  ]);
}

/** An AP-REQ with no more than what is looked at. */
function token(realm: string, ...name: readonly string[]): Buffer {
  const text = (value: string) => der(0x1b, Buffer.from(value, "latin1"));
  const sname = der(0x30, der(0xa0, Buffer.from("020103", "hex")), der(0xa1, der(0x30, ...name.map(text))));
  const ticket = der(0x61, der(0x30, der(0xa1, text(realm)), der(0xa2, sname)));
  return Buffer.concat([Buffer.from(HEADER, "hex"), der(0x6e, der(0x30, der(0xa3, ticket)))]);
}

test("a name as it is typed, and nothing else", () => {
  assert.equal(ticketService(token("EXAMPLE.TEST", "rcmd", "proxy")), "rcmd/proxy@EXAMPLE.TEST");
  assert.equal(ticketService(token("EXAMPLE.TEST", "PROXY$")), "PROXY$@EXAMPLE.TEST");
  for (const [realm, ...name] of [
    ["EXAMPLE.TEST"],
    ["EXAMPLE.TEST", ""],
    ["", "rcmd", "proxy"],
    ["EXAMPLE.TEST", "rcmd/proxy"],
    ["EXAMPLE.TEST", "rcmd@OTHER"],
    ["EXAMPLE.TEST", "rcmd\\", "proxy"],
    ["EXAMPLE.TEST\n", "rcmd", "proxy"],
    ["EXAMPLE.TEST", "rcmd", "pr\0xy"],
    ["EXAMPLE.TEST", "rcmd", "pr\xf6xy"],
    ["EXAMPLE.TEST", "a", "b", "c", "d", "e"],
  ] as const)
    assert.equal(ticketService(token(realm as string, ...name)), null, `${realm} ${name}`);
});

test("lengths that reach behind the end, or say nothing, or are too long", () => {
  for (const hex of [
    "",
    "6e",
    "6e05300361",
    "6e80",
    "6e8200",
    "6e83000001",
    "6eff",
    "6e023080",
    "6e0430820001",
  ])
    assert.equal(ticketService(Buffer.from(HEADER + hex, "hex")), null, hex);
  assert.equal(ticketService(new Uint8Array()), null);
});

suite("a real token", () => {
  let realm: Realm;
  before(async () => {
    realm = await Realm.start();
    realm.enter(await realm.kinit("alice"));
  });
  after(() => realm.stop());

  for (const mechanism of [GSS_MECH_KRB5, GSS_MECH_SPNEGO])
    test(mechanism, async () => {
      const context = SecurityContext.initiator({ target: "rcmd@localhost", mechanism });
      const { token } = await context.init(null);
      context.close();
      assert.ok(token);
      assert.equal(ticketService(token), "rcmd/localhost@EXAMPLE.TEST");
      for (let length = 0; length < token.length; length++)
        assert.equal(ticketService(token.subarray(0, length)), null, `${length} octets`);
      // Whatever comes of it is a name, or none.
      for (let at = 0; at < token.length; at++) {
        const damaged = Buffer.from(token);
        damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
        assert.match(ticketService(damaged) ?? "a@B", /^[\w.:$+/-]+@[\w.:$+-]+$/);
      }
    });
});
