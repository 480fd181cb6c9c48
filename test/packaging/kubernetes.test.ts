/**
 * What is tested: packaging/kubernetes, as kubectl renders it. Each object is one that Kubernetes knows, what names
 * something names what is there, the pod asks for no right at all (the Pod Security Standard `restricted`), and the
 * times, ports, paths and users are those of the configuration and of the image. test/integration/kubernetes.test.ts
 * runs it.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/load.js";
import { scratch } from "../support/identd.js";
import { gssocksImage } from "../support/image.js";
import { type KubernetesObject, renderedExample, typeErrors } from "../support/kubernetes.js";

test("the Kubernetes base and its example", async (t) => {
  const keytab = path.join(await scratch(t), "krb5.keytab");
  await writeFile(keytab, "keys");
  const manifest = await renderedExample(t, keytab);
  const deployment = manifest.the("Deployment");
  const configMap = manifest.the("ConfigMap");
  const secret = manifest.the("Secret");
  const template = deployment.spec?.template;
  const pod = template?.spec;
  const [container] = pod?.containers ?? [];
  assert.ok(pod && container && configMap.data && secret.data);
  const config = parseConfig(configMap.data["config.yaml"] ?? "", "config.yaml");
  const image = await gssocksImage();

  await t.test("Kubernetes knows each object and each field", async () => {
    assert.deepEqual(manifest.objects.map(({ kind }) => kind).sort(), [
      "ConfigMap",
      "Deployment",
      "Namespace",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Secret",
      "Service",
    ]);
    assert.equal(await typeErrors(t, manifest.objects), "");
  });

  await t.test("and it would be seen if it did not", async () => {
    const wrong = structuredClone(deployment) as Deployment & KubernetesObject;
    const [changed] = wrong.spec?.template.spec?.containers ?? [];
    Object.assign(changed ?? {}, { readyProbe: changed?.readinessProbe });
    assert.match(await typeErrors(t, [wrong]), /readyProbe"?' does not exist in type 'Container'/);
  });

  await t.test("what is named is there", () => {
    const volumes = new Map(pod.volumes?.map((each) => [each.name, each]));
    assert.equal(volumes.get("config")?.configMap?.name, configMap.metadata?.name);
    assert.match(configMap.metadata?.name ?? "", /^gssocks-[a-z0-9]+$/);
    assert.equal(volumes.get("keytab")?.secret?.secretName, secret.metadata?.name);
    assert.equal(secret.metadata?.name, "gssocks-keytab");
    assert.equal(secret.data?.["krb5.keytab"], Buffer.from("keys").toString("base64"));
    assert.deepEqual(container.volumeMounts?.map(({ name }) => name).sort(), [...volumes.keys()].sort());

    const labels = template?.metadata?.labels;
    for (const selector of [
      deployment.spec?.selector.matchLabels,
      manifest.the("Service").spec?.selector,
      manifest.the("PodDisruptionBudget").spec?.selector?.matchLabels,
      manifest.the("NetworkPolicy").spec?.podSelector?.matchLabels,
      ...(pod.topologySpreadConstraints ?? []).map((each) => each.labelSelector?.matchLabels),
    ])
      assert.deepEqual(selector, labels);

    const ports = container.ports?.map(({ name }) => name) ?? [];
    const policy = manifest.the("NetworkPolicy").spec?.ingress ?? [];
    for (const port of [
      container.startupProbe?.httpGet?.port,
      container.livenessProbe?.httpGet?.port,
      container.readinessProbe?.httpGet?.port,
      ...policy.flatMap((each) => each.ports ?? []).map((each) => each.port),
      ...(manifest.the("Service").spec?.ports ?? []).map((each) => each.targetPort),
    ])
      assert.ok(ports.includes(port as string), `${port} is none of ${ports}`);

    const namespace = manifest.the("Namespace").metadata?.name;
    for (const { kind, metadata } of manifest.objects)
      if (kind !== "Namespace") assert.equal(metadata?.namespace, namespace, kind);
  });

  await t.test("the pod has no right that it could do without", () => {
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.equal(pod.securityContext?.runAsNonRoot, true);
    assert.deepEqual(pod.securityContext?.seccompProfile, { type: "RuntimeDefault" });
    assert.equal(pod.automountServiceAccountToken, false);
    const enforced = manifest.the("Namespace").metadata?.labels?.["pod-security.kubernetes.io/enforce"];
    assert.equal(enforced, "restricted");
    // Of the metrics not everybody hears.
    const [clients, metrics] = manifest.the("NetworkPolicy").spec?.ingress ?? [];
    assert.deepEqual([clients?.ports, clients?.from], [[{ port: "socks" }], undefined]);
    assert.deepEqual(metrics?.ports, [{ port: "metrics" }]);
    assert.equal(metrics?.from?.length, 1);
    assert.ok(container.resources?.requests?.memory && container.resources.limits?.memory);
  });

  await t.test("ports and paths are the configuration's, its user the image's", () => {
    const { listeners, metrics, gssapi } = parse(configMap.data?.["config.yaml"] ?? "");
    const addresses = [listeners[0].address, metrics.address];
    assert.deepEqual(
      addresses,
      container.ports?.map((each) => `0.0.0.0:${each.containerPort}`),
    );
    const places = new Map(container.volumeMounts?.map((each) => [each.name, each.mountPath]));
    assert.equal(gssapi.keytab, `FILE:${places.get("keytab")}/krb5.keytab`);
    const env = new Map(container.env?.map((each) => [each.name, each.value]));
    assert.equal(env.get("KRB5_CONFIG"), `${places.get("config")}/krb5.conf`);
    assert.ok(image.command.includes(`${places.get("config")}/config.yaml`));
    assert.equal(image.env.KRB5RCACHEDIR, places.get("tmp"));
    const { runAsUser, runAsGroup, fsGroup } = pod.securityContext ?? {};
    assert.equal(`${runAsUser}:${runAsGroup}`, image.user);
    // Who may read the keytab beside root is a group that the process has.
    assert.equal(fsGroup, runAsGroup);
    assert.equal(pod.volumes?.find(({ name }) => name === "keytab")?.secret?.defaultMode, 0o440);
  });

  await t.test(
    "whoever is connected has the drain time, and is cut by gssocks, not by the kubelet",
    async () => {
      const [program, seconds] = container.lifecycle?.preStop?.exec?.command ?? [];
      assert.equal(program, "sleep");
      const drain = config.timeouts.drain / 1000;
      const grace = pod.terminationGracePeriodSeconds ?? 30;
      const doc = await readFile(new URL("../../../docs/kubernetes.md", import.meta.url), "utf8");
      for (const each of [`waits ${seconds} s`, `(${drain} s)`, `(${grace} s here)`])
        assert.ok(doc.includes(each), each);
      assert.ok(
        grace >= Number(seconds) + drain + 5,
        `${grace} s are not enough for ${seconds} s and ${drain} s`,
      );
    },
  );
});
