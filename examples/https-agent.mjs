// https-agent.mjs PROXY:PORT URL...: pages by node:https, over connections that are kept and used again.
import { once } from "node:events";
import { get } from "node:https";
import { HttpsAgent } from "gssocks";

const [proxy = "", ...urls] = process.argv.slice(2);
const [host = "", port] = proxy.split(":");
const agent = new HttpsAgent({ proxy: { host, port: Number(port) } }, { keepAlive: true });

for (const url of urls) {
  const request = get(url, { agent });
  const [response] = await once(request, "response");
  console.log(response.statusCode, request.reusedSocket, Buffer.concat(await response.toArray()).toString());
}
agent.destroy();
