/** For every socket that carries a session, on either side. */
export const SOCKET_OPTIONS = {
  /** Half-close is carried through, so one direction must outlive the other. */
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  /** Octets queued before the sender is stopped: more than one read of 64 KiB, so that a read need not stop it. */
  highWaterMark: 2 * 65536,
} as const;
