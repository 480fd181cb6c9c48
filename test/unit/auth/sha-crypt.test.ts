// SHA-crypt against openssl's: passwords of every length that matters, and other settings.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shaCrypt } from "../../../src/auth/sha-crypt.js";
import { run } from "../../support/processes.js";

// Digests have 32 and 64 octets, and lengths count bit by bit.
const LENGTHS = [...Array.from({ length: 68 }, (_, index) => index + 1), 95, 96, 97, 127, 128, 129, 192, 255];

for (const [option, algorithm] of [
  ["-5", "sha256"],
  ["-6", "sha512"],
] as const) {
  test(`${algorithm}, passwords of 1 to 255 octets`, async () => {
    // Some end within a character.
    const passwords = LENGTHS.map((length) => Buffer.from("pässwort-".repeat(32)).subarray(0, length));
    const input = Buffer.concat(passwords.flatMap((password) => [password, Buffer.from("\n")]));
    const { stdout } = await run("openssl", ["passwd", option, "-salt", "./09AZaz", "-stdin"], { input });
    const expected = stdout.trimEnd().split("\n");
    assert.equal(expected.length, passwords.length);
    for (const [index, password] of passwords.entries()) {
      const digest = shaCrypt(password, { algorithm, salt: "./09AZaz", rounds: 5000 });
      assert.equal(`$${option.slice(1)}$./09AZaz$${digest}`, expected[index], `${password.length} octets`);
    }
  });

  test(`${algorithm}, salts of 1 to 16 characters and other rounds`, async () => {
    for (const [salt, rounds] of [
      ["a", 1000],
      ["0123456789abcdef", 1001],
      ["seven77", 12345],
    ] as const) {
      const setting = `rounds=${rounds}$${salt}`;
      const { stdout } = await run("openssl", ["passwd", option, "-salt", setting, "-stdin"], {
        input: "pw\n",
      });
      const digest = shaCrypt(Buffer.from("pw"), { algorithm, salt, rounds });
      assert.equal(`$${option.slice(1)}$${setting}$${digest}`, stdout.trimEnd());
    }
  });
}
