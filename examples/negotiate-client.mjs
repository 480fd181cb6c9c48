// negotiate-client.mjs URL: a page of a web server that wants a ticket (HTTP Negotiate, RFC 4559), with the user's.
import { GSS_MECH_SPNEGO, SecurityContext } from "gssocks/gss";

const url = new URL(process.argv[2] ?? "");
const context = SecurityContext.initiator({ target: `HTTP@${url.hostname}`, mechanism: GSS_MECH_SPNEGO });
const { token } = await context.init(null);
const response = await fetch(url, { headers: { authorization: `Negotiate ${token?.toString("base64")}` } });

// The server proves itself with its answer, before anything of it is believed.
const [, answer] = /^Negotiate (.+)$/.exec(response.headers.get("www-authenticate") ?? "") ?? [];
if (answer !== undefined) await context.init(Buffer.from(answer, "base64"));
if (!context.established) throw new Error(`${response.status}: the server did not prove who it is`);
console.log(response.status, context.inquire().acceptor, await response.text());
context.close();
