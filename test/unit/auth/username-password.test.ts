// METHOD 0x02 before any wire: who is let in, that failures look alike, and where the password may be asked for.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import type { PasswordBackend, VerifiedUser } from "../../../src/auth/password-backend.js";
import { makePasswordHash } from "../../../src/auth/password-hash.js";
import { PasswordThrottle } from "../../../src/auth/password-throttle.js";
import { PasswordMethod } from "../../../src/auth/username-password.js";
import { UsersFile } from "../../../src/auth/users-file.js";
import { GssocksError, NetworkError, PolicyError } from "../../../src/errors.js";

/** A backend that does what no real one can be made to do in a test. */
function backend(
  verify: (password: Buffer) => Promise<VerifiedUser | null>,
): PasswordBackend & { asked: number } {
  return {
    asked: 0,
    verify(_username, password) {
      this.asked++;
      return verify(password);
    },
    close() {},
  };
}

async function failure(attempt: Promise<unknown>): Promise<GssocksError> {
  const error = await attempt.then(
    () => assert.fail("let in"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GssocksError, String(error));
  return error;
}

test("with a users file", async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "password-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, "users");
  writeFileSync(file, `alice:${await makePasswordHash(Buffer.from("alice-pw"))}\n`, { mode: 0o600 });
  const method = new PasswordMethod(await UsersFile.open(file), { failureTime: 500 });
  t.after(() => method.close());
  assert.equal(method.method, 0x02);

  await t.test("the right password gives the identity, and is wiped", async () => {
    const password = Buffer.from("alice-pw");
    const identity = await method.authenticate("alice", password, "192.0.2.1");
    assert.deepEqual(identity, {
      method: "password",
      principal: "alice",
      kerberos: false,
      mechanism: null,
      acceptor: null,
    });
    assert.deepEqual(password, Buffer.alloc(8));
  });

  await t.test("a wrong name and a wrong password are one failure, which holds no password", async () => {
    const texts = new Set<string>();
    for (const [name, secret] of [
      ["alice", "hunter2!"],
      ["carol", "hunter2!"],
      ["carol", "alice-pw"],
    ] as const) {
      const password = Buffer.from(secret);
      const began = performance.now();
      const error = await failure(method.authenticate(name, password, "192.0.2.1"));
      assert.ok(performance.now() - began >= 495);
      assert.ok(error instanceof PolicyError);
      assert.equal(error.code, "BAD_PASSWORD");
      texts.add(error.message.replace(name, "NAME"));
      assert.ok(!inspect(error).includes(secret));
      assert.deepEqual(password, Buffer.alloc(8));
    }
    assert.deepEqual([...texts], ['"NAME": wrong name or password']);
  });

  await t.test("an empty password is wrong, and no backend is asked", async () => {
    const error = await failure(method.authenticate("alice", Buffer.alloc(0), "192.0.2.1"));
    assert.equal(error.code, "BAD_PASSWORD");
  });
});

test("an empty password does not reach a backend that would take it", async () => {
  const kind = backend(async () => ({ principal: "alice", kerberos: false }));
  const error = await failure(
    new PasswordMethod(kind, { failureTime: 1 }).authenticate("alice", Buffer.alloc(0), "192.0.2.1"),
  );
  assert.equal(error.code, "BAD_PASSWORD");
  assert.equal(kind.asked, 0);
});

test("failures are throttled, and the backend is left alone then", async () => {
  const strict = backend(async () => null);
  const throttle = new PasswordThrottle({ now: () => 0, name: { burst: 2, forgiven: 1000 } });
  const method = new PasswordMethod(strict, { throttle, failureTime: 20 });
  const codes = [];
  for (let times = 0; times < 4; times++) {
    const password = Buffer.from("guess");
    const began = performance.now();
    codes.push((await failure(method.authenticate("alice", password, "192.0.2.1"))).code);
    assert.ok(performance.now() - began >= 15, "as long as any failure");
    assert.deepEqual(password, Buffer.alloc(5));
  }
  assert.deepEqual(codes, ["BAD_PASSWORD", "BAD_PASSWORD", "THROTTLED", "THROTTLED"]);
  assert.equal(strict.asked, 2);
});

test("a refusal of the backend's for another reason is a wrong password with that reason in the log", async () => {
  for (const code of ["PASSWORD_EXPIRED", "BAD_PASSWORD"]) {
    const refusing = backend(() => Promise.reject(new PolicyError(code, "the password has expired")));
    const throttle = new PasswordThrottle({ now: () => 0, name: { burst: 1, forgiven: 1000 } });
    const method = new PasswordMethod(refusing, { throttle, failureTime: 1 });
    const error = await failure(method.authenticate("alice", Buffer.from("x"), "192.0.2.1"));
    assert.deepEqual([error.code, error.message], ["BAD_PASSWORD", '"alice": the password has expired']);
    assert.equal(
      (await failure(method.authenticate("alice", Buffer.from("x"), "192.0.2.1"))).code,
      "THROTTLED",
    );
  }
});

test("a backend that is down is told as such, and held against nobody", async () => {
  const down = backend(() => Promise.reject(new NetworkError("LDAP_UNREACHABLE", "no answer")));
  const throttle = new PasswordThrottle({ now: () => 0, name: { burst: 1, forgiven: 1000 } });
  const method = new PasswordMethod(down, { throttle, failureTime: 1 });
  for (let times = 0; times < 3; times++) {
    const error = await failure(method.authenticate("alice", Buffer.from("x"), "192.0.2.1"));
    assert.equal(error.code, "LDAP_UNREACHABLE");
  }
});

test("a backend that does not answer is not waited for, and has the password until it does", async () => {
  let answer: (user: VerifiedUser) => void = () => {};
  const slow = backend(() => new Promise((resolve) => (answer = resolve)));
  const method = new PasswordMethod(slow, { timeout: 20, failureTime: 1 });
  const password = Buffer.from("secret");
  const error = await failure(method.authenticate("alice", password, "192.0.2.1"));
  assert.equal(error.code, "PASSWORD_TIMEOUT");
  assert.equal(password.toString(), "secret");
  answer({ principal: "alice", kerberos: false });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(password, Buffer.alloc(6));
});
