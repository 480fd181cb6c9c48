// connect.mjs PROXY:PORT HOST:PORT < IN > OUT: one connection through the proxy, with the user's ticket.
import { pipeline } from "node:stream/promises";
import { connect, GssError, PolicyError } from "gssocks";

const [proxy, destination] = process.argv.slice(2).map((text) => {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
});
if (proxy === undefined || destination === undefined) throw new Error("PROXY:PORT and HOST:PORT are needed");

try {
  const stream = await connect({ proxy, destination, timeout: 20_000 });
  const { initiator, acceptor, level } = stream.session;
  console.error(`${initiator} to ${acceptor}, level ${level}`);
  await Promise.all([pipeline(process.stdin, stream), pipeline(stream, process.stdout)]);
} catch (error) {
  if (error instanceof GssError) console.error(`no ticket that works (${error.code}): ${error.message}`);
  else if (error instanceof PolicyError) console.error(`not allowed (${error.code}): ${error.message}`);
  else throw error;
  process.exitCode = 1;
}
