// udp-dns.mjs PROXY:PORT SERVER:PORT NAME: the name's IPv4 addresses by DNS over UDP (RFC 1035), through the proxy.
import { udpAssociate } from "gssocks";

const [proxy, server] = process.argv.slice(2, 4).map((text) => {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
});
const name = process.argv[4] ?? "";
if (proxy === undefined || server === undefined)
  throw new Error("PROXY:PORT, SERVER:PORT and NAME are needed");

const header = Buffer.from([0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
const labels = name
  .split(".")
  .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
const query = Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);

const association = await udpAssociate({ proxy, signal: AbortSignal.timeout(30_000) });
// Datagrams get lost: asked again until it is answered.
const again = setInterval(() => association.send(query, server), 1000);
association.send(query, server);
association.on("message", (answer) => {
  if (answer.readUInt16BE(0) !== 0x1234) return;
  let at = query.length;
  for (let left = answer.readUInt16BE(6); left > 0; left--) {
    const [type, length] = [answer.readUInt16BE(at + 2), answer.readUInt16BE(at + 10)];
    if (type === 1) console.log(answer.subarray(at + 12, at + 16).join("."));
    at += 12 + length;
  }
  association.close();
});
association.once("close", (error) => {
  clearInterval(again);
  if (error !== null) throw error;
});
