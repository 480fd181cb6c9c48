// server.mjs [KEYTAB]: a proxy inside a program, which decides by itself who may go where: everybody to web servers, and the
// people of the database to that, but one at a time. Tells each session's end. Ends on SIGTERM.
import { once } from "node:events";
import { createServer } from "gssocks";

const [keytab] = process.argv.slice(2);
const port = Number(process.env.DATABASE_PORT ?? 5432);
const members = new Set(["alice@EXAMPLE.TEST", "carol@EXAMPLE.TEST"]);

const server = createServer({
  listeners: [{ address: "127.0.0.1:0" }],
  ...(keytab === undefined ? {} : { gssapi: { keytab } }),
  // Loopback is protected: only a rule that names it leads there.
  rules: [{ allow: { to: ["127.0.0.0/8", "10.0.0.0/8"] } }],
  authorize({ principal, destination }) {
    if ([80, 443].includes(destination.port)) return true;
    if (destination.port !== port) return "neither the web nor the database";
    if (principal === null || !members.has(principal)) return "not a member of the database's people";
    const open = server.sessions().some((other) => other.principal === principal && other.state === "relay");
    return open ? "one session at a time" : true;
  },
});
server.on("session-closed", ({ record }) => {
  console.log(record.principal, record.destination, record.outcome, record.reason);
});
console.log("listening", ...(await server.listen()));
await once(process, "SIGTERM");
await server.close();
