/** Makes and forgets contexts (exported ones too), names and credentials without closing one; run with --expose-gc. Prints MB of growth. */
import { setImmediate } from "node:timers/promises";
import { native } from "../../src/gss/native.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_MECH_KRB5 } from "../../src/gss/oids.js";

const message = Buffer.alloc(65_536);
const frames = Buffer.alloc(70_000);

async function forget(rounds: number): Promise<number> {
  for (let i = 0; i < rounds; i++) {
    const target = native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
    const { credential } = await native.acquireCredFrom(null, 0, [GSS_MECH_KRB5], 1, null);
    const initiator = native.newContext();
    const { token } = await native.initSecContext(
      initiator,
      credential,
      target,
      GSS_MECH_KRB5,
      0x3e,
      0,
      null,
      null,
    );
    const acceptor = native.newContext();
    await native.acceptSecContext(acceptor, null, null, token as Buffer);
    const fast = native.exportFastContext(acceptor, true);
    // With enough for keys of its lanes; Heimdal's contexts have none.
    if (fast !== null) native.sealFrames(fast, true, message, 0, message.length, frames, 0, frames.length);
    if (i % 50 === 0) {
      globalThis.gc?.();
      await setImmediate();
    }
  }
  return process.memoryUsage().rss;
}

// The first rounds fill the heaps.
const before = await forget(1000);
const after = await forget(3000);
console.log(`grown by ${Math.round((after - before) / 2 ** 20)} MB`);
