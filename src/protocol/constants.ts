/** Protocol numbers, under the names the RFCs give them. */

/** RFC 1928 §3: VER of SOCKS5. */
export const SOCKS5_VERSION = 0x05;

/** RFC 1928 §3: METHOD. */
export const METHOD = {
  NO_AUTHENTICATION: 0x00,
  GSSAPI: 0x01,
  USERNAME_PASSWORD: 0x02,
  NO_ACCEPTABLE: 0xff,
} as const;

/** RFC 1928 §4: CMD. */
export const CMD = {
  CONNECT: 0x01,
  BIND: 0x02,
  UDP_ASSOCIATE: 0x03,
} as const;

/** RFC 1928 §5: ATYP. */
export const ATYP = {
  IPV4: 0x01,
  DOMAINNAME: 0x03,
  IPV6: 0x04,
} as const;

/** RFC 1928 §6: REP. */
export const REP = {
  SUCCEEDED: 0x00,
  GENERAL_FAILURE: 0x01,
  NOT_ALLOWED: 0x02,
  NETWORK_UNREACHABLE: 0x03,
  HOST_UNREACHABLE: 0x04,
  CONNECTION_REFUSED: 0x05,
  TTL_EXPIRED: 0x06,
  COMMAND_NOT_SUPPORTED: 0x07,
  ADDRESS_TYPE_NOT_SUPPORTED: 0x08,
} as const;

/** RFC 1929 §2: VER of the username/password subnegotiation. */
export const USERNAME_PASSWORD_VERSION = 0x01;

/** RFC 1929 §2: STATUS; anything but 0 is a failure. */
export const STATUS = {
  SUCCESS: 0x00,
  FAILURE: 0x01,
} as const;

/** VN of a SOCKS4 request. */
export const SOCKS4_VERSION = 0x04;

/** CD of a SOCKS4 reply. */
export const SOCKS4_CD = {
  GRANTED: 90,
  REJECTED: 91,
  IDENT_UNAVAILABLE: 92,
  IDENT_MISMATCH: 93,
} as const;

/** RFC 1961 §3.4: ver of the SOCKS/GSS-API protocol. */
export const GSSAPI_VERSION = 0x01;

/** RFC 1961 §3.4, §3.8, §4.3, §5: mtyp. */
export const MTYP = {
  AUTHENTICATION: 0x01,
  PROTECTION_LEVEL: 0x02,
  USER_DATA: 0x03,
  ABORT: 0xff,
} as const;

/** RFC 1961 §3.4: a token has at most 2^16 - 1 octets. */
export const MAX_TOKEN = 0xffff;

/** ver, mtyp and the two octets of len. */
export const GSSAPI_HEADER = 4;
