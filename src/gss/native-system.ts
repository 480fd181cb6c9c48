/** What the addon has beside GSS-API: calls of the system that Node lacks, and of libkrb5. */

/** A record of type SRV (RFC 2782). */
export interface NativeService {
  priority: number;
  weight: number;
  port: number;
  /** Without the root's dot; empty for the root itself, which says that there is no such service. */
  target: string;
}

export interface NativeServices {
  /** 1 to 64, in the answer's order. */
  services: NativeService[];
  /** Seconds that the answer holds. */
  ttl: number;
}

export interface NativeCcache {
  /** With its type, as `FILE:/tmp/krb5cc_1000`. */
  ccache: string;
  /** Whose it is. */
  principal: string;
  /** Of its ticket-granting ticket, in seconds since 1970; 0 where there is no ticket. */
  endTime: number;
  /** The same; 0 where it can't be renewed. */
  renewableUntil: number;
}

export interface NativeSystem {
  // --- Names in DNS -----------------------------------------------------------------------------------------------------
  // Each look-up has a thread of its own, which neither keeps the environment nor is waited for at its end. How many run is the caller's to bound.
  /**
   * getaddrinfo(3): the addresses as text, in its order. Rejects with an Error whose `code` is EAI_NONAME, EAI_AGAIN and
   * so on.
   */
  lookUpHost(name: string): Promise<string[]>;
  /**
   * res_query(3) for type SRV; the name is taken for absolute. Rejects with an Error whose `code` is HOST_NOT_FOUND or
   * NO_DATA (there is none), TRY_AGAIN, NO_RECOVERY or EAI_SYSTEM.
   */
  lookUpServices(name: string): Promise<NativeServices>;

  // --- libkrb5 ------------------------------------------------------------------------------------------------------------
  /**
   * Looks into the ccache of that name, else into the principal's in the collection, else into the default one. Rejects
   * with a {@link NativeFailure} whose minor status is libkrb5's.
   */
  inspectCcache(ccache: string | null, principal: string | null): Promise<NativeCcache>;

  // --- Descriptors ---------------------------------------------------------------------------------------------------
  /** fcntl(2), F_DUPFD_CLOEXEC: another descriptor of the same open socket, which Node knows nothing of. */
  duplicateDescriptor(descriptor: number): number;
  /** Of a TCP connection that has ended, as libuv says: the errno of what it was really, or null. */
  endError(descriptor: number): number | null;
  /**
   * null as long as the other end is there, also where it has ended what it sends; else the errno of what broke the
   * connection, 0 where it was closed. Of no other system than Linux.
   */
  hangUp(descriptor: number): number | null;
  /** SO_LINGER 0, or off: whether closing resets the connection, at the end of this process too. */
  setAbortive(descriptor: number, abortive: boolean): void;

  // --- Who is at the other end ---------------------------------------------------------------------------------------
  /** SO_PEERCRED of a connection to a Unix socket, as it was when it was made; null of anything else. `pid` 0: not known. */
  peerCredentials(descriptor: number): { uid: number; pid: number } | null;
  /**
   * The uid of the process of this host that holds a socket: the TCP connection from `address` to `peer`, or the UDP
   * socket at `address` to which `peer` may send. Addresses have 4 or 16 octets. Negative: no uid but an errno, ENOENT
   * where nobody holds such a socket, or where this kernel has no such table (sock_diag(7)).
   */
  socketOwner(
    protocol: "tcp" | "udp",
    address: Uint8Array,
    port: number,
    peer: Uint8Array,
    peerPort: number,
  ): number;

  // --- Unix datagrams ------------------------------------------------------------------------------------------------
  /**
   * One datagram to a Unix socket, by sendto with MSG_DONTWAIT: Node's dgram knows none. `@` at the beginning makes the
   * path an abstract name. Returns errno, 0 where the receiver has it.
   */
  sendUnixDatagram(path: string, octets: Uint8Array): number;

  // --- Users and groups ----------------------------------------------------------------------------------------------
  /** getpwnam_r(3): the user's uid, null where there is no such user. May ask a directory, rejects as below. */
  userId(user: string): Promise<number | null>;
  /**
   * getpwnam_r(3), getgrouplist(3), getgrnam_r(3): those of `groups`, by their names, that a user of the system is in; of
   * nobody's groups there are none. May ask a directory. Rejects with an Error where a source of NSS does not answer.
   */
  groupMembership(user: string, groups: readonly string[]): Promise<string[]>;
}
