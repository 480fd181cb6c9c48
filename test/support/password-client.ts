/** Names and passwords (RFC 1929) as somebody types them, and what the proxy makes of that. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Origin } from "./origin.js";
import { runToEnd } from "./processes.js";
import type { LogLine, ProxyServer } from "./proxy.js";
import { connectRequest, RawClient } from "./raw-client.js";
import { refusal } from "./refusal.js";

export interface PasswordAttempt {
  name: string;
  password: string | Buffer;
  /** The source address; 127.0.0.1 where absent. */
  from?: string;
}

/** Everything up to the password is sent at once: an offer of METHOD 0x02 alone, and the credentials. */
export async function attempt(
  proxy: ProxyServer,
  { name, password, from }: PasswordAttempt,
): Promise<RawClient> {
  const client = await RawClient.connect(proxy.port, "127.0.0.1", from);
  const [user, secret] = [Buffer.from(name), Buffer.from(password as string)];
  client.send(5, 1, 2, 1, user.length, user, secret.length, secret);
  return client;
}

/** STATUS 0, then octets both ways through a CONNECT to `echoing`. */
export async function assertLetIn(
  proxy: ProxyServer,
  echoing: Origin,
  attempted: PasswordAttempt,
  principal = attempted.name,
): Promise<void> {
  const client = await attempt(proxy, attempted);
  assert.equal((await client.read(4)).toString("hex"), "05020100");
  client.send(connectRequest("127.0.0.1", echoing.port), Buffer.from("hello"));
  client.socket.end();
  const { octets } = await client.farewell();
  assert.deepEqual([octets.toString("hex", 0, 4), octets.toString("latin1", 10)], ["05000001", "hello"]);
  client.close();
  const { method, outcome, ...record } = await proxy.audit((each) => each.client === client.address);
  assert.deepEqual([record.principal, method, outcome], [principal, "password", "completed"]);
}

export interface KeptOut {
  code: string;
  reason: RegExp;
  /** Default denied; failed where the password could not be judged. */
  outcome?: "denied" | "failed";
}

/** STATUS 1 and the end, whatever the reason; nobody is named. @returns the log line */
export async function assertKeptOut(
  proxy: ProxyServer,
  attempted: PasswordAttempt | RawClient,
  { code, reason, outcome = "denied" }: KeptOut,
): Promise<LogLine> {
  const client = attempted instanceof RawClient ? attempted : await attempt(proxy, attempted);
  const { octets, how } = await client.farewell();
  assert.deepEqual([octets.toString("hex"), how], ["05020101", "end"]);
  client.close();
  const line = await refusal(proxy, client.address, outcome);
  assert.deepEqual([line.code, line.principal, line.step], [code, null, "user/password authentication"]);
  assert.match(String(line.reason), reason);
  return line;
}

/** curl is let in with the password, and kept out with another. */
export async function curlWithPassword(
  test: TestContext,
  proxy: ProxyServer,
  name: string,
  password: string,
): Promise<void> {
  const web = await Origin.start((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  });
  test.after(() => web.stop());
  const curl = (secret: string) => {
    const quiet = ["-q", "-sS", "--max-time", "20", "--noproxy", ""];
    // Without the last it offers GSS-API too, and would have to go through with it.
    const user = ["--proxy-user", `${name}:${secret}`, "--socks5-basic"];
    const to = ["--proxy", `socks5h://127.0.0.1:${proxy.port}`, `http://127.0.0.1:${web.port}/`];
    return runToEnd("curl", [...quiet, ...user, ...to]);
  };
  const right = await curl(password);
  assert.deepEqual([right.code, right.stdout], [0, "hello"], right.stderr);
  const wrong = await curl("wrong");
  assert.equal(wrong.code, 97, wrong.stderr);
  assert.match(wrong.stderr, /rejected by the SOCKS5 server \(1 1\)/);
}

/** Nothing of the secrets is in any output of the proxy's, in the forms in which a program might show it. */
export function assertSilent(proxy: ProxyServer, secrets: readonly (string | Buffer)[]): void {
  const output = proxy.logs().toLowerCase();
  for (const secret of secrets) {
    const octets = Buffer.from(secret as string);
    // The last is a Buffer's in JSON.
    const forms = [octets.toString(), octets.toString("hex"), octets.toString("base64"), octets.join(",")];
    for (const form of forms)
      assert.ok(!output.includes(form.toLowerCase()), `${JSON.stringify(octets.toString())} as ${form}`);
  }
}
