/** A worker that establishes contexts with itself: once, or (workerData "forever") until it is terminated. */
import { parentPort, workerData } from "node:worker_threads";
import { type FastContextHandle, type NameHandle, native } from "../../src/gss/native.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_MECH_KRB5 } from "../../src/gss/oids.js";

async function establish(target: NameHandle): Promise<string> {
  const initiator = native.newContext();
  const acceptor = native.newContext();
  const init = (token: Uint8Array | null) =>
    native.initSecContext(initiator, null, target, GSS_MECH_KRB5, 0x3e, 0, null, token);
  const accepted = await native.acceptSecContext(acceptor, null, null, (await init(null)).token as Buffer);
  await init(accepted.token as Buffer);
  const { token } = native.wrap(initiator, true, 0, Buffer.from("from a worker"));
  const message = native.unwrap(acceptor, token).message.toString();
  exchange(native.exportFastContext(initiator, true), native.exportFastContext(acceptor, true));
  return message;
}

/** Enough for lanes. Neither is there over a library whose contexts have no keys for it. */
function exchange(initiator: FastContextHandle | null, acceptor: FastContextHandle | null): void {
  if (initiator === null || acceptor === null) return;
  const sealed = Buffer.alloc(70_000);
  const result = new Int32Array(5);
  const length = native.sealFrames(
    initiator,
    true,
    Buffer.alloc(65_536),
    0,
    65_536,
    sealed,
    0,
    sealed.length,
  );
  native.openFrames(acceptor, true, sealed, 0, length, result);
  if (result[1] !== 65_536 || result[3] !== 0) throw new Error(`opened: ${result}`);
}

const target = native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
parentPort?.postMessage({ message: await establish(target), target });
while (workerData === "forever") await establish(target);
