/** A real DNS server (dnsmasq) for names the test makes up; it asks nobody else. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { start } from "./processes.js";

export interface DnsAddress {
  address: string;
  port: number;
}

export interface DnsServer extends DnsAddress {
  /** How often a name's IPv4 addresses were asked for. */
  queries(name: string): number;
  stop(): Promise<unknown>;
}

/**
 * Answers when this is fulfilled; stopped when the test ends.
 * @param at the address and port; a free one where absent
 * @param records dnsmasq's options, as `host-record=db.example.test,192.0.2.53`; other names below example.test do not exist
 */
export async function startDnsServer(
  test: TestContext,
  records: readonly string[],
  at?: DnsAddress,
): Promise<DnsServer> {
  const { address, port } = at ?? (await free());
  const args = [
    // In the foreground, with its log on standard error, and as ourselves: its own user comes with another package, and a
    // user namespace lets nobody change groups.
    "--no-daemon",
    "--log-facility=/dev/null",
    "--conf-file=/dev/null",
    "--pid-file",
    `--listen-address=${address}`,
    "--bind-interfaces",
    `--port=${port}`,
    "--no-resolv",
    "--no-hosts",
    "--log-queries",
    "--local=/example.test/",
    ...records.map((record) => `--${record}`),
  ];
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const server = await start("dnsmasq", args, { env, test });
  await server.waitForLine(/started, version/);
  return {
    address,
    port,
    queries: (name) => server.stderr().split(`query[A] ${name} `).length - 1,
    stop: () => server.stop(),
  };
}

async function free(): Promise<DnsAddress> {
  // dnsmasq can't take a port that the system picks. An address of its own makes one that was free stay free.
  const octet = () => 1 + Math.floor(Math.random() * 254);
  const address = `127.${octet()}.${octet()}.${octet()}`;
  const probe = createSocket("udp4");
  probe.bind(0, address);
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return { address, port };
}
