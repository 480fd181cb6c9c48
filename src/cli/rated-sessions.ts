/** The open sessions of a server, with what each has carried of late. */
import { setTimeout as wait } from "node:timers/promises";
import { askServer } from "../control/control-client.js";
import type { SessionInfo } from "../server/session-info.js";
import { BETWEEN_VIEWS } from "./screen.js";

export interface RatedSession extends SessionInfo {
  /** Octets a second. */
  rateUp: number;
  rateDown: number;
}

export interface Looking {
  /** Those of whom alone; absent: all. */
  user?: string | undefined;
  /** Again and again. */
  watch?: boolean | undefined;
}

/** Rates are what came between two looks, so far apart, in ms, where none is to follow. */
const BETWEEN = 1000;

/**
 * One list with the rates of a second; or, watched, one at once, with the rates of each session's life so far, and others
 * with the rates since the one before.
 * @param path of the control socket
 * @throws what askServer does
 */
export async function* ratedSessions(
  path: string,
  { user, watch = false }: Looking,
): AsyncGenerator<RatedSession[]> {
  let before: Look = { time: 0, sessions: new Map() };
  let now = await takeLook(path, user);
  do {
    if (watch) {
      yield rated(before, now);
      await wait(BETWEEN_VIEWS);
    } else if (now.sessions.size > 0) {
      // Nobody's rate is asked for where nobody is.
      await wait(BETWEEN);
    }
    before = now;
    now = await takeLook(path, user);
  } while (watch);
  yield rated(before, now);
}

interface Look {
  /** Milliseconds of the server's clock. */
  time: number;
  sessions: Map<string, SessionInfo>;
}

async function takeLook(path: string, user: string | undefined): Promise<Look> {
  const sessions = new Map<string, SessionInfo>();
  const request = user === undefined ? {} : { user };
  const { time = 0 } = await askServer(path, { ask: "sessions", ...request }, (item) => {
    if ("session" in item) sessions.set(item.session.session, item.session);
  });
  return { time, sessions };
}

function rated(before: Look, now: Look): RatedSession[] {
  return [...now.sessions.values()].map((session) => {
    const earlier = before.sessions.get(session.session);
    const seconds = earlier === undefined ? session.age : (now.time - before.time) / 1000;
    const rate = (octets: number) => (seconds > 0 ? Math.max(0, Math.round(octets / seconds)) : 0);
    return {
      ...session,
      rateUp: rate(session.bytesUp - (earlier?.bytesUp ?? 0)),
      rateDown: rate(session.bytesDown - (earlier?.bytesDown ?? 0)),
    };
  });
}
