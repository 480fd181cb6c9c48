/**
 * Per-message protection of datagrams (RFC 1961 §5): the whole datagram, its SOCKS header included, is in one token.
 *
 *     +------+------+------+.......................+
 *     + ver  | mtyp | len  |       token           |
 *     +------+------+------+.......................+
 *     + 0x01 | 0x03 | 0x02 | to the datagram's end |
 *     +------+------+------+.......................+
 *
 * The context is that of the TCP connection, and its sequence numbers are shared: a sealed message on TCP behind sealed
 * datagrams would be taken for one with a gap before it. None is sent there after the reply, by either side.
 *
 * Datagrams get lost, doubled and reordered, and none of that is an error. Dropped is what was seen before, and what is
 * so old that nobody can tell. The library's word alone does not do for that: where the initiator asked for
 * GSS_C_SEQUENCE_FLAG (RFC 1961 §3.2: a UDP client should not, but some ask for it always), MIT and Heimdal call a late
 * token UNSEQ, whether it is merely late or a replay from before their window; and where it asked for no replay
 * detection, they let everything pass. So the sequence numbers, which unwrapping has checked, go through a window of
 * our own; where a token's can't be read, UNSEQ is as good as old.
 */
import { GSS_S_DUPLICATE_TOKEN, GSS_S_OLD_TOKEN, GSS_S_UNSEQ_TOKEN } from "../gss/flags.js";
import type { SecurityContext, Unwrapped } from "../gss/security-context.js";
import { GSSAPI_HEADER, GSSAPI_VERSION, MTYP } from "../protocol/constants.js";
import { writeGssapiHeader } from "../protocol/gssapi-message.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { sequenceNumber } from "../protocol/wrap-token.js";
import type { DropReason } from "./datagram-drops.js";
import type { ProtectionCounters } from "./message-protection.js";
import { ReplayWindow } from "./replay-window.js";

/** A datagram, or why it is to be dropped; never an error. */
export interface DatagramProtection {
  seal(plain: Buffer): Buffer | DropReason;
  open(datagram: Buffer): Buffer | DropReason;
}

/** What UDP over IPv4 can carry: 65535 octets less both headers. */
export const MAX_DATAGRAM = 65507;

/** Beyond what gss_wrap_size_limit tells. */
const SLACK = 64;

/** Level none, and associations without GSS-API. */
export const CLEAR_DATAGRAMS: DatagramProtection = {
  seal: (plain) => (plain.length > MAX_DATAGRAM ? "too-large" : plain),
  open: (datagram) => datagram,
};

export class ContextDatagramProtection implements DatagramProtection {
  readonly counters: ProtectionCounters = { sealed: 0, opened: 0 };
  readonly #context: SecurityContext;
  readonly #conf: boolean;
  readonly #confRequired: boolean;
  readonly #limit: number;
  readonly #window = new ReplayWindow();

  /** The context stays the caller's to close. */
  constructor(context: SecurityContext, level: Exclude<ProtectionLevel, "none">) {
    this.#context = context;
    this.#conf = level !== "integrity";
    this.#confRequired = level === "confidentiality";
    this.#limit = context.wrapSizeLimit(this.#conf, MAX_DATAGRAM - GSSAPI_HEADER);
  }

  seal(plain: Buffer): Buffer | DropReason {
    if (plain.length > this.#limit) return "too-large";
    // Memory of its own: the socket may take it later.
    const room = plain.length + MAX_DATAGRAM - this.#limit + SLACK;
    const output = Buffer.allocUnsafe(room);
    let length: number;
    try {
      length = this.#context.wrapInto(this.#conf, plain, 0, plain.length, output, GSSAPI_HEADER, room);
    } catch {
      return "unsealed";
    }
    writeGssapiHeader(output, 0, MTYP.USER_DATA, length);
    this.counters.sealed += GSSAPI_HEADER + length;
    return output.subarray(0, GSSAPI_HEADER + length);
  }

  open(datagram: Buffer): Buffer | DropReason {
    if (!isFrame(datagram)) return "malformed";
    const sequence = sequenceNumber(datagram, GSSAPI_HEADER);
    let opened: Unwrapped;
    try {
      // Not in place: MIT's gss_unwrap_iov gives no message with the bits for a gap and a late token.
      opened = this.#context.unwrap(datagram.subarray(GSSAPI_HEADER));
    } catch {
      return "bad-token";
    }
    if (this.#confRequired && !opened.confState) return "not-confidential";
    const order = this.#order(opened.supplementary, sequence);
    if (order !== "new") return order;
    this.counters.opened += datagram.length;
    return opened.message;
  }

  #order(supplementary: number, sequence: bigint | null): "new" | "duplicate" | "old" {
    if ((supplementary & GSS_S_DUPLICATE_TOKEN) !== 0) return "duplicate";
    if ((supplementary & GSS_S_OLD_TOKEN) !== 0) return "old";
    if (sequence !== null) return this.#window.admit(sequence);
    return (supplementary & GSS_S_UNSEQ_TOKEN) !== 0 ? "old" : "new";
  }
}

/** One whole frame and nothing behind it. */
function isFrame(datagram: Buffer): boolean {
  return (
    datagram.length >= GSSAPI_HEADER &&
    datagram[0] === GSSAPI_VERSION &&
    datagram[1] === MTYP.USER_DATA &&
    datagram.readUInt16BE(2) === datagram.length - GSSAPI_HEADER
  );
}
