/** What tests of the addon's relays join: real sockets, and contexts of the environment's ticket with itself. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import { FastContext } from "../../src/gss/fast-context.js";
import { native } from "../../src/gss/native.js";
import { NativeRelay, type NativeRelayOptions } from "../../src/gss/native-relay.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_MECH_KRB5 } from "../../src/gss/oids.js";
import { type SocketPair, socketPair } from "../unit/relay/loopback.js";

const NOTHING = Buffer.alloc(0);

export const NO_OCTETS = {
  toClient: NOTHING,
  toDestination: NOTHING,
  fromClient: NOTHING,
  fromDestination: NOTHING,
} as const;

/** Of a context of alice with rcmd@localhost. */
export async function establishHere(): Promise<{ initiator: FastContext; acceptor: FastContext }> {
  const target = native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
  const initiator = native.newContext();
  const acceptor = native.newContext();
  const init = (token: Uint8Array | null) =>
    native.initSecContext(initiator, null, target, GSS_MECH_KRB5, 0x3e, 0, null, token);
  const accepted = await native.acceptSecContext(acceptor, null, null, (await init(null)).token as Buffer);
  await init(accepted.token as Buffer);
  const [ours, theirs] = [
    native.exportFastContext(initiator, true),
    native.exportFastContext(acceptor, true),
  ];
  assert.ok(ours !== null && theirs !== null);
  return { initiator: new FastContext(ours), acceptor: new FastContext(theirs) };
}

export function descriptor(socket: Socket): number {
  return (socket as Socket & { _handle: { fd: number } })._handle.fd;
}

export interface Joined {
  relay: NativeRelay;
  client: Socket;
  destination: Socket;
}

/** Starts a relay between two pairs, and lets go of Node's own descriptors of them. */
export function join(
  client: SocketPair,
  destination: SocketPair,
  protection: NativeRelayOptions["protection"] = null,
): Joined {
  const relay = NativeRelay.start({
    client: descriptor(client.ours),
    destination: descriptor(destination.ours),
    protection,
    ...NO_OCTETS,
  });
  assert.ok(relay !== null);
  client.ours.destroy();
  destination.ours.destroy();
  return { relay, client: client.theirs, destination: destination.theirs };
}

export async function joined(
  test: TestContext,
  protection: NativeRelayOptions["protection"] = null,
): Promise<Joined> {
  const [client, destination] = await Promise.all([socketPair(test), socketPair(test)]);
  return join(client, destination, protection);
}
