// negotiate-server.mjs [KEYTAB]: a web server that lets people in with their ticket (HTTP Negotiate, RFC 4559) and greets
// them. The keytab holds HTTP/host. Ends on SIGTERM.
import { once } from "node:events";
import { createServer } from "node:http";
import { Credential, GSS_MECH_KRB5, GSS_MECH_SPNEGO, GssocksError, SecurityContext } from "gssocks/gss";

const [keytab] = process.argv.slice(2);
const credential = await Credential.acceptor({ keytab, mechanisms: [GSS_MECH_KRB5, GSS_MECH_SPNEGO] });
credential.setNegotiable([GSS_MECH_KRB5]);

const server = createServer(async (request, response) => {
  const [, token] = /^Negotiate ([\w+/]+=*)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (token === undefined) return void response.writeHead(401, { "www-authenticate": "Negotiate" }).end();
  const context = SecurityContext.acceptor({ credential });
  try {
    const { info, token: answer } = await context.accept(Buffer.from(token, "base64"));
    // A context of several legs would have to be kept from one request to the next.
    if (info === null || info.anonymous) return void response.writeHead(403).end();
    if (answer !== null) response.setHeader("www-authenticate", `Negotiate ${answer.toString("base64")}`);
    response.end(`Hello ${info.initiator}\n`);
  } catch (error) {
    if (!(error instanceof GssocksError)) throw error;
    console.error(error.code, error.message);
    response.writeHead(403).end();
  } finally {
    context.close();
  }
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log("listening", /** @type {import("node:net").AddressInfo} */ (server.address()).port);
await once(process, "SIGTERM");
server.close();
credential.close();
