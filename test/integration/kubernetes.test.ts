/**
 * What is tested: packaging/kubernetes at work. What kubectl renders of the example is run as a kubelet would: as its user
 * without capabilities, on a read-only root, with the very configuration of its ConfigMap and the keytab of its Secret. It
 * answers the Deployment's probes at the pod's address, serves clients with tickets, takes a changed Secret while it runs,
 * and when it is told to end it is alive and not ready until its last session is over.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Credential, connect, type ProxyStream } from "../../src/index.js";
import { kubectl, renderedExample } from "../support/kubernetes.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { Pod } from "../support/pod.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const POD = "10.42.0.7";
const SERVICE = "socks.example.test";
const DATABASE = { address: "10.9.0.5", name: "db.internal.example.test", port: 5432 };

const NETWORK = {
  ip: [`addr add ${POD}/24 dev lo`, `addr add ${DATABASE.address}/32 dev lo`],
  hosts: { [SERVICE]: [POD], [DATABASE.name]: [DATABASE.address] },
};

// Where there is a network.
await kubectl();

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("the example, as a pod", async (t) => {
    const realm = await Realm.start({ services: [`rcmd/${SERVICE}`] });
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    realm.enter();
    const origin = await Origin.start(echo, DATABASE.address, DATABASE.port);
    t.after(() => origin.stop());
    const manifest = await renderedExample(t, realm.keytab);
    const pod = await Pod.start(t, manifest, POD);

    /** A user with a ticket for the service's key as it is now. */
    async function ticket(user: string): Promise<Credential> {
      const credential = await Credential.initiator({ ccache: await realm.kinit(user, { ccache: user }) });
      t.after(() => credential.close());
      return credential;
    }
    async function through(context: TestContext, host: string, credential: Credential): Promise<ProxyStream> {
      const proxy = { host: SERVICE, port: 1080 };
      const stream = await connect({ proxy, destination: { host, port: DATABASE.port }, credential });
      context.after(() => stream.destroy());
      return stream;
    }
    async function assertEchoes(stream: ProxyStream): Promise<void> {
      stream.write("there and back");
      assert.equal(String((await once(stream, "data"))[0]), "there and back");
    }

    await t.test("the kubelet finds it started, alive and ready", async () => {
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"] as const)
        assert.equal(await pod.probe(probe), 200, probe);
    });

    await t.test("it has no more rights than it was given", async () => {
      const status = await readFile(`/proc/${pod.pid}/status`, "utf8");
      for (const each of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        assert.match(status, new RegExp(`^${each}:\\t0{16}$`, "m"));
      assert.match(status, /^NoNewPrivs:\t1$/m);
      const mounts = await readFile(`/proc/${pod.pid}/mounts`, "utf8");
      for (const each of ["/", "/etc/gssocks", "/etc/gssocks-keytab"])
        assert.match(mounts, new RegExp(`^\\S+ ${each} \\S+ ro[, ]`, "m"), each);
    });

    await t.test("who has a ticket gets where the rules lead", async (each) => {
      const alice = await ticket("alice");
      const stream = await through(each, DATABASE.name, alice);
      await assertEchoes(stream);
      stream.end();
      const { principal, client } = await pod.audit();
      assert.equal(principal, "alice@EXAMPLE.TEST");
      assert.match(String(client), /^10\.42\.0\.7:/);
      await assert.rejects(through(each, SERVICE, alice), { code: "RULE_DENIED" });
    });

    await t.test("changed keys of the Secret are taken while it runs", async (each) => {
      const keytab = path.join(realm.dir, "newer.keytab");
      await realm.ktadd(`rcmd/${SERVICE}`, keytab);
      const bob = await ticket("bob");
      await assert.rejects(through(each, DATABASE.name, bob));
      await pod.replaceSecret("keytab", new Map([["krb5.keytab", await readFile(keytab)]]));
      assert.equal(await pod.probe("readinessProbe"), 200);
      await assertEchoes(await through(each, DATABASE.name, bob));
    });

    await t.test(
      "it is alive and not ready until the last session is over, then ends in order",
      async (each) => {
        const stream = await through(each, DATABASE.name, await ticket("bob"));
        pod.signal("SIGTERM");
        await pod.waitForLog(({ msg }) => msg === "draining");
        assert.equal(await pod.probe("readinessProbe"), 503);
        assert.equal(await pod.probe("livenessProbe"), 200);
        await assertEchoes(stream);
        stream.end();
        assert.deepEqual(await pod.exited, { code: 0, signal: null });
      },
    );
  });
});
