/**
 * The head of a Kerberos Wrap token (RFC 4121 §4.2.6.2), which is in clear, whatever is wrapped.
 *
 *     octet  0..1    TOK_ID   05 04
 *            2       Flags
 *            3       Filler   ff
 *            4..5    EC
 *            6..7    RRC
 *            8..15   SND_SEQ  big-endian
 */
const TOK_ID = 0x0504;
const HEADER = 16;

/**
 * SND_SEQ of the token that begins at `start`; true only once the token has been unwrapped, which checks it. Null where
 * it can't be read: tokens of other mechanisms and of older Kerberos enctypes (RFC 1964) are not like this.
 */
export function sequenceNumber(buffer: Buffer, start: number): bigint | null {
  if (buffer.length < start + HEADER || buffer.readUInt16BE(start) !== TOK_ID) return null;
  return buffer.readBigUInt64BE(start + 8);
}
