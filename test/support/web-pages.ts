/** A page of some size over HTTP and over HTTPS, by name, and what can be told of it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { TestContext } from "node:test";
import { makeAuthority, makeCertificate } from "./certificates.js";
import { listeningServer } from "./listening-server.js";

export interface WebPages {
  /** Of the page, over HTTP first. */
  urls: readonly [http: string, https: string];
  /** As the audit trail names it, in the same order. */
  destinations: readonly [http: string, https: string];
  /** PEM, whose certificate the HTTPS server has. */
  authority: string;
  octets: number;
  sha256: string;
}

/**
 * On 127.0.0.1 until the test ends; what is posted comes back.
 * @param dir for the certificates
 */
export async function startWebPages(
  context: TestContext,
  dir: string,
  octets = 2_000_000,
): Promise<WebPages> {
  const authority = await makeAuthority(dir, "web-ca");
  const { certificate, key } = await makeCertificate(dir, "web", "DNS:localhost", authority);
  const page = createHash("shake256", { outputLength: octets }).update("a page").digest();
  const answer: RequestListener = (request, response) => {
    if (request.method === "POST") request.pipe(response);
    else response.end(page);
  };
  const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
  const http = await listeningServer(context, createServer(answer));
  const https = await listeningServer(context, createTlsServer(tls, answer));
  return {
    urls: [`http://localhost:${http}/`, `https://localhost:${https}/`],
    destinations: [`localhost:${http}`, `localhost:${https}`],
    authority: authority.certificate,
    octets,
    sha256: createHash("sha256").update(page).digest("hex"),
  };
}
