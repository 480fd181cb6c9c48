/**
 * The relay of one UDP association (RFC 1928 §7): one socket that faces the client, and one for each address family,
 * once needed, that faces the destinations.
 *
 *     client <-- sealed, with headers --> #inner | #outer.ipv4, #outer.ipv6 <-- plain --> destinations
 *
 * Datagrams that can't or must not be relayed are dropped and counted, and nothing that arrives or fails to be sent
 * ends the association: it ends when its owner, who has the TCP connection, closes it. After the reply nothing more may
 * be sent on that connection (datagram-protection tells why). What is held is bounded whatever comes: destinations,
 * judgements under way and what waits for them, datagrams a second each way, octets that wait to be sent.
 */
import type { Socket } from "node:dgram";
import { PeerError } from "../errors.js";
import type { Rate } from "../gss/rate.js";
import { type Endpoint, formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import { decodeUdpDatagram, encodeUdpHeader, type UdpDatagram } from "../protocol/udp-datagram.js";
import { type DropReason, type Drops, noDrops } from "./datagram-drops.js";
import type { DatagramProtection } from "./datagram-protection.js";
import { LruMap } from "./lru-map.js";
import { NO_RATES, type Rates } from "./rates.js";
import { TokenBucket } from "./token-bucket.js";
import { type Destination, UdpDestinations, type Way } from "./udp-destinations.js";
import { openUdpSocket, type PortRange, type Received, sendDatagram } from "./udp-sockets.js";
import { type OpenChannel, UdpUpstreams } from "./udp-upstreams.js";

/** How long a destination may answer after the client's last datagram to it, in ms (RFC 4787 REQ-5). */
const ANSWERED_FOR = 300_000;

export interface UdpAssociationOptions {
  /** Ours that faces the client: the TCP connection's local one. */
  address: string;
  /** What the client is told in place of `address`: where a NAT has us. */
  advertised?: string | undefined;
  /** Of the socket that faces the client; null: the system picks. */
  ports: PortRange | null;
  client: {
    /** The TCP connection's remote one; datagrams from any other are dropped. */
    address: string;
    /** DST of the request. */
    announced: Endpoint;
    /** Whether the socket that the first datagrams come from is the client's; null: its address says it all. */
    owns?: ((from: SocketAddress, relay: SocketAddress) => boolean) | null;
  };
  protection: DatagramProtection;
  /** The ways to it that may be taken, best first; rejects with a PolicyError or NetworkError. */
  authorize: (dst: Endpoint) => Promise<readonly Way[]>;
  /** For those that lead through other proxies. */
  openUpstream: OpenChannel;
  limits: {
    /** Destinations remembered at a time. */
    destinations: number;
    /** Each way; as many at once as a second brings. */
    datagramsPerSecond: number;
  };
  /** Whether replies may come from addresses that the client has not sent to. */
  fromAnyone?: boolean | undefined;
  /** Each bounds what comes from the client, or goes to it. */
  rates?: Rates;
  /** The same of what goes to one destination that is allowed, or comes from it. */
  ratesOf?: ((dst: Endpoint) => Rates) | undefined;
}

interface Amount {
  /** Of DATA alone. */
  octets: number;
  datagrams: number;
}

/** Where a datagram was sent to, and what goes before the answers. */
interface Answerer {
  header: Buffer;
  rates: Rates;
  sent: number;
}

interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

type Family = "ipv4" | "ipv6";

export class UdpAssociation {
  readonly carried: { readonly up: Amount; readonly down: Amount } = {
    up: { octets: 0, datagrams: 0 },
    down: { octets: 0, datagrams: 0 },
  };
  readonly dropped: Drops = noDrops();
  readonly #options: UdpAssociationOptions;
  readonly #destinations: UdpDestinations;
  readonly #upstreams: UdpUpstreams;
  /** Of the destination that each upstream was last sent something for: what it sends does not tell for which. */
  readonly #upstreamRates = new Map<string, Rates>();
  readonly #answerers: LruMap<Answerer>;
  readonly #rate: { up: TokenBucket; down: TokenBucket };
  readonly #clientAddress: string;
  /** 0 until known. */
  #clientPort: number;
  /** Where the client's datagrams come from, once one has. */
  #client: { address: string; port: number } | null = null;
  #inner: Socket | null = null;
  readonly #outer: { [F in Family]?: Socket } = {};
  readonly #opening: { [F in Family]?: Promise<void> } = {};
  #closed = false;

  private constructor(options: UdpAssociationOptions) {
    this.#options = options;
    const { client, limits } = options;
    this.#clientAddress = plainAddress(client.address);
    this.#clientPort = announcedPort(client.announced, this.#clientAddress);
    this.#answerers = new LruMap(limits.destinations);
    this.#rate = {
      up: new TokenBucket(limits.datagramsPerSecond),
      down: new TokenBucket(limits.datagramsPerSecond),
    };
    this.#destinations = new UdpDestinations(limits.destinations, {
      judge: (dst) => this.#judge(dst),
      transmit: (destination, data) => this.#pass(destination, data),
      dropped: (reason) => this.#drop(reason),
      revoked: ({ dst, ways }) => {
        for (const way of ways) if (typeof way === "string") this.#answerers.delete(keyOf(way, dst.port));
      },
    });
    this.#upstreams = new UdpUpstreams(options.openUpstream, (data, from, upstream) =>
      this.#toClient(encodeUdpHeader(from), data, this.#upstreamRates.get(upstream)),
    );
  }

  /** @throws NetworkError (UDP_BIND_FAILED) */
  static async open(options: UdpAssociationOptions): Promise<UdpAssociation> {
    const association = new UdpAssociation(options);
    const address = unmapped(options.address);
    association.#inner = await openUdpSocket(address, options.ports, (datagram, from) =>
      association.#fromClient(datagram, from),
    );
    return association;
  }

  /** BND of the reply: where the client is to send to. */
  get bnd(): Endpoint {
    const { address, advertised = address } = this.#options;
    return { host: parseHost(advertised), port: this.#inner?.address().port ?? 0 };
  }

  /** {@link UdpDestinations.judgeAgain} */
  judgeAgain(allows: (dst: Endpoint, way: Way) => boolean): void {
    this.#destinations.judgeAgain(allows);
  }

  /** Idempotent. Nothing is called or counted afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inner?.close();
    this.#upstreams.close();
    for (const socket of Object.values(this.#outer)) socket.close();
    this.#answerers.clear();
  }

  // --- Client to destination ----------------------------------------------------------------------------------------

  #fromClient(datagram: Buffer, from: { address: string; port: number }): void {
    if (plainAddress(from.address) !== this.#clientAddress) return this.#drop("stranger");
    if (this.#clientPort !== 0 && from.port !== this.#clientPort) return this.#drop("stranger");
    // Before it is opened: that is what costs most.
    if (!this.#rate.up.take() || !fits(this.#options.rates?.up ?? [], datagram.length))
      return this.#drop("rate");
    const plain = this.#options.protection.open(datagram);
    if (typeof plain === "string") return this.#drop(plain);
    const decoded = decode(plain);
    if (typeof decoded === "string") return this.#drop(decoded);
    // Learnt only now, so that under protection nobody but the client can be taken for it.
    if (this.#client === null) {
      if (!this.#owns(from)) return this.#drop("stranger");
      this.#clientPort = from.port;
      this.#client = { address: from.address, port: from.port };
    }
    this.#destinations.send(decoded.dst, decoded.data);
  }

  #owns(from: SocketAddress): boolean {
    const { owns } = this.#options.client;
    return owns == null || owns(from, this.#inner?.address() as SocketAddress);
  }

  /** Addresses that are allowed and for whose family there is a socket, and upstreams that can be had. */
  async #judge(dst: Endpoint): Promise<Way[]> {
    const usable: Way[] = [];
    let failure: unknown;
    for (const way of await this.#options.authorize(dst)) {
      try {
        if (typeof way === "string") await this.#open(familyOf(way));
        else await this.#upstreams.ensure(way.upstream);
        usable.push(way);
      } catch (error) {
        failure = error;
      }
    }
    if (usable.length === 0) throw failure;
    return usable;
  }

  #open(family: Family): Promise<void> {
    const received: Received = (datagram, from) => this.#fromDestination(datagram, from);
    this.#opening[family] ??= openUdpSocket(family === "ipv4" ? "0.0.0.0" : "::", null, received).then(
      (socket) => {
        if (this.#closed) socket.close();
        else this.#outer[family] = socket;
      },
      (error) => {
        // It may work the next time: descriptors may have run out.
        delete this.#opening[family];
        throw error;
      },
    );
    return this.#opening[family];
  }

  #pass(destination: Destination, data: Buffer): void {
    const rates = this.#options.ratesOf?.(destination.dst) ?? NO_RATES;
    if (fits(rates.up, data.length)) this.#transmit(destination, data, rates);
    else this.#drop("rate");
  }

  #transmit(destination: Destination, data: Buffer, rates: Rates): void {
    const { dst, ways } = destination;
    const [address] = ways;
    if (this.#closed || address === undefined) return;
    if (typeof address !== "string") {
      this.#upstreamRates.set(address.upstream, rates);
      if (this.#upstreams.send(address, data)) return count(this.carried.up, data);
      // It has ended since; the next datagram asks for it anew.
      void this.#upstreams.ensure(address.upstream).catch(() => {});
      return this.#drop("unreachable");
    }
    const socket = this.#outer[familyOf(address)];
    if (socket === undefined) return;
    const key = keyOf(address, dst.port);
    const header = this.#answerers.peek(key)?.header ?? encodeUdpHeader({ ...dst, host: parseHost(address) });
    this.#answerers.set(key, { header, rates, sent: performance.now() });
    sendDatagram(socket, data, { address, port: dst.port }, (reason) => {
      if (reason === null) return count(this.carried.up, data);
      const next = ways.slice(1);
      if (reason !== "unreachable" || next.length === 0) return this.#drop(reason);
      // This host has no way to the first of a name's addresses: it may have one to the next.
      if (destination.ways === ways) destination.ways = next;
      this.#transmit({ dst, ways: next }, data, rates);
    });
  }

  // --- Destination to client ----------------------------------------------------------------------------------------

  #fromDestination(data: Buffer, from: { address: string; port: number }): void {
    const answerer = this.#answererAt(from);
    if (answerer === null) return this.#drop("unsolicited");
    this.#toClient(answerer.header, data, answerer.rates);
  }

  #toClient(header: Buffer, data: Buffer, rates = NO_RATES): void {
    const all = [...rates.down, ...(this.#options.rates?.down ?? [])];
    if (!this.#rate.down.take() || !fits(all, data.length)) return this.#drop("rate");
    const sealed = this.#options.protection.seal(Buffer.concat([header, data]));
    if (typeof sealed === "string") return this.#drop(sealed);
    // Destinations are heard once the client has sent, so both are there.
    sendDatagram(
      this.#inner as Socket,
      sealed,
      this.#client as { address: string; port: number },
      (reason) => {
        if (reason === null) count(this.carried.down, data);
        else this.#drop(reason);
      },
    );
  }

  #answererAt({ address, port }: SocketAddress): Omit<Answerer, "sent"> | null {
    const answerer = this.#answerers.peek(keyOf(address, port));
    if (answerer !== undefined && performance.now() - answerer.sent <= ANSWERED_FOR) return answerer;
    if (this.#options.fromAnyone !== true) return null;
    return { header: encodeUdpHeader({ host: parseHost(address), port }), rates: NO_RATES };
  }

  #drop(reason: DropReason): void {
    if (!this.#closed) this.dropped[reason] += 1;
  }
}

/** A datagram that is to be relayed, or why it is not. */
function decode(plain: Buffer): UdpDatagram | DropReason {
  try {
    const decoded = decodeUdpDatagram(plain);
    // RFC 1928 §7: who does not reassemble must drop. Port 0 can't be sent to.
    if (decoded.frag !== 0x00) return "fragment";
    return decoded.dst.port === 0 ? "malformed" : decoded;
  } catch (error) {
    if (error instanceof PeerError) return "malformed";
    throw error;
  }
}

/**
 * The port that the client's datagrams must come from, 0 where the first of them is to tell. What was announced counts
 * only with no address or with the one that the TCP connection comes from: behind a NAT clients name an address that
 * nobody sees, and the port with it.
 */
function announcedPort({ host, port }: Endpoint, clientAddress: string): number {
  if (host.kind === "domain") return 0;
  return ["0.0.0.0", "::", clientAddress].includes(host.address) ? port : 0;
}

function count(amount: Amount, data: Buffer): void {
  amount.octets += data.length;
  amount.datagrams += 1;
}

function keyOf(address: string, port: number): string {
  return formatEndpoint({ host: parseHost(address), port });
}

/** One text for each address, without a scope; an IPv4-mapped one is the IPv4 address. */
function familyOf(address: string): Family {
  return parseHost(address).kind === "ipv4" ? "ipv4" : "ipv6";
}

/** As it is to be bound: a scope stays. */
function unmapped(address: string): string {
  return familyOf(address) === "ipv4" ? plainAddress(address) : address;
}

/** Whether all of `rates` have room for so many octets, which they are charged with then. */
function fits(rates: readonly Rate[], octets: number): boolean {
  if (rates.some((rate) => rate.charge(0) > 0)) return false;
  for (const rate of rates) rate.charge(octets);
  return true;
}
