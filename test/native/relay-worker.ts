/** A worker whose relays join the descriptors that it is told of; posts "started" for each, and how it ended. */
import { parentPort } from "node:worker_threads";
import { NativeRelay } from "../../src/gss/native-relay.js";
import { NO_OCTETS } from "./relay-sockets.js";

parentPort?.on("message", (message: "close" | { client: number; destination: number }) => {
  if (message === "close") return parentPort?.close();
  const relay = NativeRelay.start({ ...message, protection: null, ...NO_OCTETS });
  parentPort?.postMessage("started");
  void relay?.done.then(({ end }) => {
    const { up, down } = relay.carried;
    parentPort?.postMessage({ end, up, down });
  });
});
