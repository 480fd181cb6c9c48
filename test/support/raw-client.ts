/** A client of RFC 1928 and RFC 1961 that a test drives by hand, so that it can send anything at any time. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Name } from "../../src/gss/name.js";
import { type InitiatorContextOptions, SecurityContext } from "../../src/gss/security-context.js";
import { formatEndpoint, parseHost } from "../../src/protocol/address.js";
import { CMD, MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { encodeRequest } from "../../src/protocol/request.js";

export type ContextOptions = Partial<Omit<InitiatorContextOptions, "target">> & {
  /** Host-based; default rcmd@localhost. */
  target?: string;
};

/** How the proxy closed: what it sent before, and whether with an end or a reset. */
export interface Farewell {
  octets: Buffer;
  how: "end" | "reset";
}

/**
 * Local ports, each given once: a client's address is what its audit record is found by, and the system would give a port
 * again soon after a reset. They are those that the system gives; each process begins somewhere else.
 */
const PORTS = { first: 32768, count: 28232 };
let given = randomInt(PORTS.count);

export class RawClient {
  readonly socket: Socket;
  /** As `address:port`, as the audit record has it. */
  readonly address: string;
  #context: SecurityContext | null = null;
  #received = Buffer.alloc(0);
  #closed: Farewell["how"] | null = null;
  #wake: () => void = () => {};

  private constructor(socket: Socket, address: string) {
    this.socket = socket;
    this.address = address;
    socket.on("data", (octets) => {
      this.#received = Buffer.concat([this.#received, octets]);
      this.#wake();
    });
    const closed = (how: Farewell["how"]) => () => {
      this.#closed ??= how;
      this.#wake();
    };
    socket.on("end", closed("end")).on("error", closed("reset")).on("close", closed("reset"));
  }

  /** @param localAddress the source address; the system's choice where absent */
  static async connect(port: number, host = "127.0.0.1", localAddress?: string): Promise<RawClient> {
    for (let tries = 1; ; tries += 1) {
      given += 1;
      const localPort = PORTS.first + (given % PORTS.count);
      const socket = connect({ port, host, localAddress, localPort, allowHalfOpen: true, noDelay: true });
      try {
        await once(socket, "connect");
        const own = { host: parseHost(socket.localAddress as string), port: socket.localPort as number };
        return new RawClient(socket, formatEndpoint(own));
      } catch (error) {
        // Somebody else has it.
        const taken = ["EADDRINUSE", "EADDRNOTAVAIL"].includes((error as NodeJS.ErrnoException).code ?? "");
        if (!taken || tries === PORTS.count) throw error;
      }
    }
  }

  /** At a Unix socket. */
  static async connectUnix(path: string): Promise<RawClient> {
    const socket = connect({ path, allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket, `unix:uid=${process.geteuid?.()},pid=${process.pid}`);
  }

  /** The established context. */
  get context(): SecurityContext {
    if (this.#context === null) throw new Error("no security context yet");
    return this.#context;
  }

  /** @param octets Buffers or numbers, one write for all */
  send(...octets: (Uint8Array | number)[]): void {
    this.socket.write(
      Buffer.concat(
        octets.map((each) => (typeof each === "number" ? [each] : each)).map((each) => Buffer.from(each)),
      ),
    );
  }

  /** Exactly `count` octets; rejects where the proxy closes first. */
  async read(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      if (this.#closed !== null)
        throw new Error(
          `the proxy closed (${this.#closed}) after ${this.#received.toString("hex")}, expected ${count} octets`,
        );
      await this.#more();
    }
    const octets = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return octets;
  }

  /** Waits until the proxy has closed its direction. */
  async farewell(): Promise<Farewell> {
    while (this.#closed === null) await this.#more();
    return { octets: this.#received, how: this.#closed };
  }

  /** Token of the next message, which must be of type `mtyp`. */
  async message(mtyp: number): Promise<Buffer> {
    const header = await this.read(4);
    if (header[0] !== 0x01 || header[1] !== mtyp)
      throw new Error(`unexpected message ${header.toString("hex")}`);
    return this.read(header.readUInt16BE(2));
  }

  /** Offers METHOD 0x01 alone; the proxy must take it. */
  async selectMethod(): Promise<void> {
    this.send(0x05, 0x01, 0x01);
    const answer = await this.read(2);
    if (answer.toString("hex") !== "0501") throw new Error(`unexpected METHOD ${answer.toString("hex")}`);
  }

  /**
   * Method selection and context establishment (RFC 1961 §3).
   * @returns the proxy's tokens, in order
   */
  async authenticate(options: ContextOptions = {}): Promise<Buffer[]> {
    await this.selectMethod();
    return this.establish(options);
  }

  /** Context establishment, tokens in messages of type 1 until neither side has one left. */
  async establish({ target: text = "rcmd@localhost", ...options }: ContextOptions = {}): Promise<Buffer[]> {
    const target = Name.import(text);
    const context = SecurityContext.initiator({ ...options, target });
    this.#context = context;
    const answers: Buffer[] = [];
    try {
      let step = await context.init(null);
      for (;;) {
        if (step.token === null) return answers;
        this.send(encodeGssapiMessage(MTYP.AUTHENTICATION, step.token));
        const answer = await this.message(MTYP.AUTHENTICATION);
        answers.push(answer);
        if (step.complete) return answers;
        step = await context.init(answer);
      }
    } finally {
      target.close();
    }
  }

  /** Protection level negotiation (RFC 1961 §4), octets as they are. @returns the proxy's octet */
  async negotiate(offer: number, nec = false): Promise<number> {
    this.sendLevel(offer, nec);
    const token = await this.message(MTYP.PROTECTION_LEVEL);
    const octets = nec ? token : this.context.unwrap(token).message;
    if (octets.length !== 1) throw new Error(`not a level: ${octets.toString("hex")}`);
    return octets[0] as number;
  }

  sendLevel(offer: number, nec = false): void {
    const octets = Buffer.from([offer]);
    this.send(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, nec ? octets : this.context.wrap(octets, false)));
  }

  /** One frame of per-message protection (RFC 1961 §5). */
  seal(plain: Uint8Array, conf = true): Buffer {
    return encodeGssapiMessage(MTYP.USER_DATA, this.context.wrap(plain, conf));
  }

  /** The plain octets of the proxy's next frame, which must be in order and as confidential as said. */
  async open(conf = true): Promise<Buffer> {
    const { message, confState, supplementary } = this.context.unwrap(await this.message(MTYP.USER_DATA));
    if (supplementary !== 0) throw new Error(`a token out of order: ${supplementary}`);
    if (confState !== conf) throw new Error(`conf_state is ${confState}`);
    return message;
  }

  /** Frames opened until `count` plain octets are there; more than those is an error. */
  async openOctets(count: number, conf = true): Promise<Buffer> {
    let plain = Buffer.alloc(0);
    while (plain.length < count) plain = Buffer.concat([plain, await this.open(conf)]);
    if (plain.length > count) throw new Error(`${plain.length} octets, expected ${count}`);
    return plain;
  }

  /** A sealed CONNECT. @returns REP of the sealed reply */
  async request(host: string, port: number, conf = true): Promise<number> {
    return (await this.ask(connectRequest(host, port), conf))[1] as number;
  }

  /** Any request, sealed. @returns the reply's octets */
  async ask(request: Uint8Array, conf = true): Promise<Buffer> {
    this.send(this.seal(request, conf));
    return this.open(conf);
  }

  /** The handshake up to the request; the proxy must agree to the level. */
  static async ready(
    proxy: { host?: string; port: number },
    { level = 2, ...options }: ContextOptions & { level?: 1 | 2 } = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(proxy.port, proxy.host);
    await client.authenticate(options);
    const agreed = await client.negotiate(level);
    if (agreed !== level) throw new Error(`level ${agreed} agreed`);
    return client;
  }

  /** All of the handshake at one level; the proxy must agree to it and open the destination. */
  static async through(
    proxy: { host?: string; port: number },
    destination: { host?: string; port: number },
    options: ContextOptions & { level?: 1 | 2 } = {},
  ): Promise<RawClient> {
    const { level = 2 } = options;
    const client = await RawClient.ready(proxy, options);
    const rep = await client.request(destination.host ?? "127.0.0.1", destination.port, level === 2);
    if (rep !== 0) throw new Error(`REP ${rep}`);
    return client;
  }

  /** Without a word: a reset. */
  vanish(): void {
    this.#context?.close();
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.#context?.close();
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** A CONNECT request in clear. */
export function connectRequest(host: string, port: number): Buffer {
  return encodeRequest({ cmd: CMD.CONNECT, dst: { host: parseHost(host), port } });
}
