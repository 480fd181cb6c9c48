/** From a proxy's address to an open destination, or to a port of the proxy's that somebody may connect to. */
import { PolicyError } from "../errors.js";
import type { Endpoint } from "../protocol/address.js";
import { CMD, REP } from "../protocol/constants.js";
import { hopMark } from "../protocol/hop-mark.js";
import { encodeRequest } from "../protocol/request.js";
import { aborted } from "./abort.js";
import { openHttp } from "./http-connect.js";
import { openChannel, targetOf } from "./proxy-channel.js";
import { credentialsOf, methodsOf, type Opened, type ProxyOptions, type Wanted } from "./proxy-options.js";
import { Handshake, type HandshakeEnd, type Identity } from "./socks5-handshake.js";

export type { ClientMethod, HostPort, Opened, ProxyOptions, ProxySession, Wanted } from "./proxy-options.js";

const DEFAULT_TIMEOUT = 60_000;

/** A port of the proxy's, for one connection from elsewhere (RFC 1928 §6, BIND). */
export interface Bound {
  /** BND of the first reply: where to connect to. */
  bnd: Endpoint;
  /** When somebody has connected: `session.bnd` tells who. */
  peer: Promise<Opened>;
  /** Ends the wait; nothing where it has ended. */
  close(): void;
}

export interface BindWanted {
  /** Who may connect; where the port is not known, 0. */
  dst: Endpoint;
  /** Milliseconds that the peer may take; as long as the proxy waits where absent. */
  peerTimeout?: number;
}

/**
 * @throws NetworkError (the proxy or the destination can't be reached), GssError (no ticket, expired, unknown name …),
 *   PolicyError (LEVEL_REFUSED, RULE_DENIED, NO_ACCEPTABLE_METHOD), PeerError (the proxy breaks the protocol, or refuses
 *   what we show it)
 */
export async function openThrough(options: ProxyOptions, wanted: Wanted): Promise<Opened> {
  const left = leftOf(options);
  checkWanted(options, wanted);
  if (options.protocol === "http") return openHttp(options, wanted, left);
  const begin = await prepare(options, wanted, left);
  return new Promise((opened, failed) => {
    begin({ bound: () => {}, opened, failed }).start();
  });
}

/**
 * Has the proxy wait for one connection to a port of its own. The options' timeout ends with the first reply, their
 * signal ends the wait as well.
 * @throws as {@link openThrough}; and `peer`: NetworkError (NOBODY_CONNECTED, TIMEOUT, ABORTED, CONNECTION_LOST), PeerError
 */
export async function bindThrough(options: ProxyOptions, { dst, peerTimeout }: BindWanted): Promise<Bound> {
  const left = leftOf(options);
  const wanted = { cmd: CMD.BIND, dst };
  checkWanted(options, wanted);
  const begin = await prepare(options, wanted, left, peerTimeout);
  return new Promise((resolve, reject) => {
    const peer = new Promise<Opened>((opened, failed) => {
      const handshake = begin({
        bound: (bnd) => resolve({ bnd, peer, close: () => handshake.giveUp() }),
        opened,
        failed: (error) => {
          reject(error);
          failed(error);
        },
      });
      handshake.start();
    });
    // Whoever has closed it may not want to hear more.
    peer.catch(() => {});
  });
}

/** Connects to the proxy. What the handshake shows itself with is looked at before, so that what is wrong is told at once. */
async function prepare(
  options: ProxyOptions,
  wanted: Wanted,
  left: () => number,
  second?: number,
): Promise<(end: HandshakeEnd) => Handshake> {
  const identity = identityOf(options);
  try {
    const channel = await openChannel(options, left);
    return (end) => new Handshake(channel, options, identity, wanted, { first: left(), second }, end);
  } catch (error) {
    identity.target?.close();
    identity.credentials?.password.fill(0);
    // Whatever broke off because of it.
    throw options.signal?.aborted ? aborted(options.signal) : error;
  }
}

/** The milliseconds that are left of the options' timeout, which begins now. */
function leftOf({ timeout = DEFAULT_TIMEOUT }: ProxyOptions): () => number {
  const deadline = performance.now() + timeout;
  return () => Math.max(1, deadline - performance.now());
}

/** @throws UsageError, PolicyError (LOOP, COMMAND_NOT_SUPPORTED) */
function checkWanted({ hops, protocol }: ProxyOptions, wanted: Wanted): void {
  encodeRequest(wanted);
  if (hops !== undefined) hopMark(hops);
  if (protocol !== "http" || wanted.cmd === CMD.CONNECT) return;
  const command = wanted.cmd === CMD.BIND ? "BIND" : "UDP ASSOCIATE";
  throw new PolicyError(
    "COMMAND_NOT_SUPPORTED",
    `an HTTP proxy knows CONNECT alone: ${command} needs a SOCKS5 proxy`,
    { rep: REP.COMMAND_NOT_SUPPORTED },
  );
}

function identityOf(options: ProxyOptions): Identity {
  const credentials = credentialsOf(options);
  const target = methodsOf(options).includes("gssapi") ? targetOf(options, "rcmd") : null;
  return { target, credentials };
}
