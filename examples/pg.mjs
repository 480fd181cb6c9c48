// pg.mjs PROXY:PORT SQL: a query to PostgreSQL through the proxy; the database is the one that PGHOST, PGPORT, PGUSER,
// PGPASSWORD and PGDATABASE name.
import { createSocket } from "gssocks";
import pg from "pg";

const [proxy = "", sql = ""] = process.argv.slice(2);
const [host = "", port] = proxy.split(":");
const pool = new pg.Pool({
  // pg connects it to the database's host and port.
  stream: () => createSocket({ proxy: { host, port: Number(port) } }),
});
const { rows } = await pool.query(sql);
console.log(JSON.stringify(rows));
await pool.end();
