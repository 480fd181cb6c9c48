/** From where, with what and when: the predicates that look at the session and the clock. */
import type { AgreedLevel } from "../protocol/protection-level.js";
import { type CommandName, isAtLeast } from "./facts.js";
import type { IpNetwork } from "./ip-network.js";
import { anyOf, type Matcher, NO, yes } from "./matcher.js";
import type { TimeWindow } from "./time-window.js";

export function fromMatcher(networks: readonly IpNetwork[]): Matcher {
  return anyOf(
    "from",
    networks,
    String,
    (network, { client: { address } }) => address !== null && network.contains(address),
    ({ client: { address } }) => `the client's address is ${address ?? "not known"}`,
  );
}

export function listenerMatcher(listeners: readonly string[]): Matcher {
  return anyOf(
    "listener",
    listeners,
    (text) => text,
    (listener, { client }) => client.listener === listener,
    ({ client }) => `the listener is ${client.listener}`,
  );
}

export function commandMatcher(commands: readonly CommandName[]): Matcher {
  return anyOf(
    "command",
    commands,
    (text) => text,
    (name, { command }) => command === name,
    ({ command }) => `the command is ${command}`,
  );
}

/** This protection level, or a better one. */
export function levelMatcher(least: AgreedLevel): Matcher {
  const text = `level: ${least}`;
  const matches = yes(text.replace(":", ""));
  return {
    text,
    match: ({ client }) => (isAtLeast(client.level, least) ? matches : NO),
    found: ({ client }) => `the level is ${client.level}`,
  };
}

export function tlsMatcher(wanted: boolean): Matcher {
  const matches = yes(wanted ? "TLS" : "no TLS");
  return {
    text: `tls: ${wanted}`,
    match: ({ client }) => (client.tls === wanted ? matches : NO),
    found: ({ client }) => (client.tls ? "the client speaks TLS" : "the client speaks no TLS"),
  };
}

export function whenMatcher(window: TimeWindow): Matcher {
  const text = `when: ${window.text}`;
  const matches = yes(text.replace(":", ""));
  return {
    text,
    match: ({ time }) => (window.contains(time) ? matches : NO),
    found: ({ time }) => `it is ${window.show(time)}`,
  };
}
