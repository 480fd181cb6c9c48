/** Chromium, headless, and a page with sub-resources over HTTP and HTTPS for it to load. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import path from "node:path";
import type { TestContext } from "node:test";
import { makeAuthority, makeCertificate } from "./certificates.js";
import { HttpOrigin } from "./http-origin.js";
import { listeningServer } from "./listening-server.js";
import { runToEnd } from "./processes.js";

const IMAGE = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

export interface RichPage {
  /** Tells what it was asked. */
  origin: HttpOrigin;
  securePort: number;
}

/** What has come of it when all of it is there, in the document's text. */
export const ALL_OF_IT = /by http; .*by https; .*image 1/s;

/** @param dir for the certificate */
export async function startRichPage(context: TestContext, dir: string): Promise<RichPage> {
  const made = await makeCertificate(dir, "localhost", "DNS:localhost", await makeAuthority(dir));
  const https = createServer({ cert: await readFile(made.certificate), key: await readFile(made.key) });
  https.on("request", (_, response) => {
    response.setHeader("Content-Type", "text/javascript").end('document.body.append("by https; ");');
  });
  const securePort = await listeningServer(context, https);
  const origin = await HttpOrigin.start(context, ({ url }, response) => {
    const [type = "", body = ""] = {
      "/": ["text/html", html(securePort)],
      "/by-http.js": ["text/javascript", 'document.body.append("by http; ");'],
      "/style.css": ["text/css", "body { background: url(/image.gif?style) }"],
    }[url] ?? [url.startsWith("/image") ? "image/gif" : "text/plain", IMAGE];
    response.setHeader("Content-Type", type as string).end(body);
  });
  return { origin, securePort };
}

function html(securePort: number): string {
  return `<!doctype html><link rel="stylesheet" href="/style.css"><body>
    <script src="/by-http.js"></script>
    <script src="https://localhost:${securePort}/by-https.js"></script>
    <img src="/image.gif" onload="document.body.append('image ' + this.naturalWidth)">`;
}

/**
 * Gives the document as it then is, or what the browser complained of.
 * @param proxy its URL, or that of a proxy auto-configuration
 * @param dir in which its profile of this name is made
 */
export async function loadPage(
  proxy: string,
  url: string,
  { dir, profile, env }: { dir: string; profile: string; env: Readonly<Record<string, string | undefined>> },
): Promise<string> {
  const args = [
    ...["--headless", "--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage"],
    ...["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    `--user-data-dir=${path.join(dir, `profile-${profile}`)}`,
    ...(proxy.endsWith(".pac")
      ? [`--proxy-pac-url=${proxy}`]
      : [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"]),
    // The origin's certificate is nobody's, and no matter of the proxy's.
    ...["--ignore-certificate-errors", "--dump-dom", url],
  ];
  const { stdout, stderr } = await runToEnd("chromium", args, {
    env: { ...env, HOME: dir },
    timeoutMs: 60_000,
  });
  return stdout === "" ? stderr : stdout;
}
