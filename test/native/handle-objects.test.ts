/** Handles against callers that are wrong: foreign objects, other kinds, closed ones, overlapping calls. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ContextHandle, type CredentialHandle, type NameHandle, native } from "../../src/gss/native.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_C_NT_USER_NAME, GSS_MECH_KRB5 } from "../../src/gss/oids.js";
import { Realm } from "../support/realm.js";

let realm: Realm;
before(async () => {
  realm = await Realm.start();
  realm.enter(await realm.kinit("alice"));
});
after(() => realm.stop());

const MUTUAL_CONF_INTEG = 0x32;
const target = () => native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
const init = (
  context: ContextHandle,
  credential: CredentialHandle | null = null,
  name: NameHandle = target(),
) => native.initSecContext(context, credential, name, GSS_MECH_KRB5, MUTUAL_CONF_INTEG, 0, null, null);

const HANDLE = { name: "TypeError", code: "ERR_GSSOCKS_HANDLE" };
const CLOSED = { name: "TypeError", code: "ERR_GSSOCKS_CLOSED" };
const BUSY = { code: "ERR_GSSOCKS_BUSY" };

test("what is no handle, or one of another kind", () => {
  const name = target();
  const context = native.newContext();
  const proxy = new Proxy(name, {});
  for (const wrong of [
    undefined,
    null,
    1,
    "x",
    {},
    [],
    () => 0,
    Buffer.alloc(8),
    context,
    proxy,
    Object.create(name),
  ]) {
    assert.throws(() => native.displayName(wrong as unknown as NameHandle), HANDLE);
  }
  for (const wrong of [name, undefined, {}]) {
    assert.throws(() => native.contextTime(wrong as unknown as ContextHandle), HANDLE);
    assert.throws(() => native.setNegMechs(wrong as unknown as CredentialHandle, []), HANDLE);
  }
});

test("handles can't be made from outside", () => {
  const Handle = target().constructor as new (...args: unknown[]) => object;
  assert.throws(() => new Handle(), HANDLE);
  assert.throws(() => new Handle({}, 1), HANDLE);
  class Sub extends Handle {}
  assert.throws(() => new Sub(), HANDLE);
});

test("close() of one kind does not take another, and is idempotent", () => {
  const name = target();
  const context = native.newContext();
  assert.throws(() => name.close.call(context as unknown as NameHandle), TypeError);
  assert.throws(() => name.close.call({} as NameHandle), TypeError);
  name.close();
  name.close();
  assert.throws(() => native.displayName(name), CLOSED);
  assert.throws(() => native.compareName(target(), name), CLOSED);
  context.close();
  context.close();
  assert.throws(() => native.newContext().close.call(name as unknown as ContextHandle), TypeError);
  assert.throws(() => native.inquireContext(context), CLOSED);
  assert.throws(() => init(context), CLOSED);
});

test("a context without a peer has nothing to say", () => {
  const context = native.newContext();
  for (const call of [
    () => native.contextTime(context),
    () => native.inquireContext(context),
    () => native.wrap(context, true, 0, Buffer.from("x")),
    () => native.unwrap(context, Buffer.from("x")),
    () => native.getMic(context, 0, Buffer.from("x")),
    () => native.verifyMic(context, Buffer.from("x"), Buffer.from("x")),
    () => native.wrapSizeLimit(context, true, 0, 100),
    () => native.wrapInto(context, true, Buffer.alloc(1), 0, 1, Buffer.alloc(99), 0, 99, new Int32Array(4)),
    () => native.unwrapInPlace(context, Buffer.alloc(50), 0, 50, new Int32Array(4)),
  ]) {
    assert.throws(call, { code: "ERR_GSS" }, String(call));
  }
});

const skip =
  process.env.HEIMDAL_LIBRARIES !== undefined && "Heimdal tells the time of a half-established context";
test("a context that is busy takes no second call; it is released when the first is done", {
  skip,
}, async () => {
  const context = native.newContext();
  const first = init(context);
  assert.throws(() => init(context), BUSY);
  assert.throws(() => native.inquireContext(context), BUSY);
  assert.throws(() => native.unwrapInPlace(context, Buffer.alloc(9), 0, 9, new Int32Array(4)), BUSY);
  const { token } = await first;
  assert.ok((token?.length ?? 0) > 100);
  // Not busy any more, but not established either.
  assert.throws(() => native.contextTime(context), { code: "ERR_GSS" });
});

test("a call that was refused for an argument leaves the context free", async () => {
  const context = native.newContext();
  assert.throws(() => native.initSecContext(context, null, target(), "no-oid", 0, 0, null, null), {
    code: "ERR_INVALID_ARG_TYPE",
  });
  assert.throws(() => native.acceptSecContext(context, null, null, "x" as unknown as Uint8Array), TypeError);
  const bindings = {
    get initiatorAddrtype(): number {
      throw new Error("from a getter");
    },
  };
  assert.throws(
    () => native.acceptSecContext(context, null, bindings as never, Buffer.from("x")),
    /from a getter/,
  );
  assert.equal((await init(context)).major, 1);
});

test("everything a pending call uses may be closed under it", async () => {
  const { credential } = await native.acquireCredFrom(null, 0, [GSS_MECH_KRB5], 1, null);
  const context = native.newContext();
  const name = target();
  const pending = init(context, credential, name);
  assert.throws(() => native.setNegMechs(credential, [GSS_MECH_KRB5]), BUSY);
  context.close();
  name.close();
  credential.close();
  assert.equal((await pending).major, 1);
  assert.throws(() => native.contextTime(context), CLOSED);
});

test("the token may be changed by its owner while the call is pending", async () => {
  const { token } = await init(native.newContext());
  assert.ok(token);
  const mine = Buffer.from(token);
  const accepted = native.acceptSecContext(native.newContext(), null, null, mine);
  mine.fill(0);
  assert.equal((await accepted).major, 0);
});

test("a getter that closes the handle in the middle of a call", async () => {
  const { credential } = await native.acquireCredFrom(null, 0, [GSS_MECH_KRB5], 1, null);
  const mechanisms = [GSS_MECH_KRB5];
  Object.defineProperty(mechanisms, 0, {
    get() {
      credential.close();
      return GSS_MECH_KRB5;
    },
  });
  assert.throws(() => native.setNegMechs(credential, mechanisms), CLOSED);
});

test("arguments of the wrong type or size", () => {
  const name = Buffer.from("x");
  for (const wrong of [
    undefined,
    null,
    "x",
    [1],
    new Uint16Array(2),
    new ArrayBuffer(2),
    new DataView(new ArrayBuffer(2)),
    new Uint8Array(new SharedArrayBuffer(2)),
  ]) {
    assert.throws(() => native.importName(wrong as Uint8Array, GSS_C_NT_USER_NAME), {
      code: "ERR_INVALID_ARG_TYPE",
    });
  }
  assert.throws(() => native.importName(name, 5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => native.acquireCredFrom(null, 0, null, 3, null), { code: "ERR_OUT_OF_RANGE" });
  for (const lifetime of [-1, 0.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => native.acquireCredFrom(null, lifetime, null, 1, null), { code: "ERR_OUT_OF_RANGE" });
  }
  const many = Array(65).fill(GSS_MECH_KRB5);
  assert.throws(() => native.acquireCredFrom(null, 0, many, 1, null), { code: "ERR_OUT_OF_RANGE" });
  const rows = Array(17).fill(["keytab", "x"]);
  assert.throws(() => native.acquireCredFrom(null, 0, null, 2, rows), { code: "ERR_OUT_OF_RANGE" });
  for (const store of [[["keytab"]], [["keytab", "a\0b"]], ["keytab"], "keytab"]) {
    assert.throws(() => native.acquireCredFrom(null, 0, null, 2, store as never), {
      code: "ERR_INVALID_ARG_TYPE",
    });
  }
});

test("a buffer of more than 2^31 octets is refused", () => {
  // Never touched, so it costs no memory.
  const huge = new Uint8Array(2 ** 31 + 1);
  assert.throws(() => native.importName(huge, GSS_C_NT_USER_NAME), {
    name: "RangeError",
    code: "ERR_OUT_OF_RANGE",
  });
});
