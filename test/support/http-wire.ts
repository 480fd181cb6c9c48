/** A client of HTTP that a test drives octet by octet, and that keeps its connection. */
import { RawClient } from "./raw-client.js";

export interface Received {
  status: number;
  /** Names in lower case; those that came several times are joined by a comma. */
  fields: Record<string, string>;
  body: string;
  /** Behind a body in chunks, where there are any. */
  trailers?: Record<string, string>;
}

export class HttpWire {
  readonly client: RawClient;

  private constructor(client: RawClient) {
    this.client = client;
  }

  static async connect(port: number): Promise<HttpWire> {
    return new HttpWire(await RawClient.connect(port));
  }

  /** Lines of a head, an empty one behind them, and a body as it is. */
  send(head: readonly string[], body: string | Buffer = ""): void {
    this.client.send(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), Buffer.from(body));
  }

  /** What is not sent as a whole. */
  write(octets: string | Buffer): void {
    this.client.send(Buffer.from(octets));
  }

  /** @param bodiless as the answer to HEAD and, with 200, to CONNECT */
  async receive(bodiless = false): Promise<Received> {
    const [, status = ""] = /^HTTP\/1\.1 (\d{3}) /.exec(await this.#until("\r\n")) ?? [];
    const fields = await this.#fields();
    if (bodiless || Number(status) < 200) return { status: Number(status), fields, body: "" };
    return { status: Number(status), fields, ...(await this.#body(fields)) };
  }

  async ask(head: readonly string[], body?: string | Buffer): Promise<Received> {
    this.send(head, body);
    return this.receive(/^HEAD /.test(head[0] ?? ""));
  }

  async #body(fields: Record<string, string>): Promise<Pick<Received, "body" | "trailers">> {
    if (fields["transfer-encoding"] === "chunked") {
      let body = "";
      for (;;) {
        const size = Number.parseInt(await this.#until("\r\n"), 16);
        if (size === 0) break;
        body += (await this.client.read(size)).toString("latin1");
        await this.#until("\r\n");
      }
      const trailers = await this.#fields();
      return Object.keys(trailers).length === 0 ? { body } : { body, trailers };
    }
    const { "content-length": length } = fields;
    if (length === undefined) return { body: (await this.client.farewell()).octets.toString("latin1") };
    return { body: (await this.client.read(Number(length))).toString("latin1") };
  }

  async #fields(): Promise<Record<string, string>> {
    const fields: Record<string, string> = {};
    for (;;) {
      const line = await this.#until("\r\n");
      if (line === "\r\n") return fields;
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
    }
  }

  async #until(end: string): Promise<string> {
    let text = "";
    while (!text.endsWith(end)) text += (await this.client.read(1)).toString("latin1");
    return text;
  }
}
