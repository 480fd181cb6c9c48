// fetch.mjs PROXY:PORT URL...: pages by Node's own fetch, through the proxy. Needs the package undici beside gssocks.
import { gssocksDispatcher } from "gssocks/undici";

const [proxy = "", ...urls] = process.argv.slice(2);
const [host = "", port] = proxy.split(":");
const dispatcher = gssocksDispatcher({ proxy: { host, port: Number(port) } });

for (const url of urls) {
  // The types of Node's fetch and of undici are two packages'.
  const response = await fetch(url, /** @type {RequestInit} */ (/** @type {unknown} */ ({ dispatcher })));
  console.log(response.status, await response.text());
}
await dispatcher.close();
