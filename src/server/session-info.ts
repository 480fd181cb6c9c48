import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Progress } from "./sessions.js";

/** One open session, for the administrator to look at. Null is not known yet, or not come to. */
export interface SessionInfo {
  session: string;
  /** The process that serves it. */
  pid: number;
  state: Progress["state"];
  /** The client's `address:port`. */
  client: string;
  /** Our `address:port` it came to. */
  listener: string;
  principal: string | null;
  method: AuthMethodName | null;
  mechanism: string | null;
  level: string | null;
  command: string | null;
  /** What the client asked for, `host:port`. */
  destination: string | null;
  /** The peer of CONNECT or BIND, `address:port`. */
  address: string | null;
  /** The upstream that it goes through, by its name in the configuration. */
  upstream: string | null;
  /** The rule that let it go there, counted from 1. */
  rule: number | null;
  /** Seconds. */
  age: number;
  /** Plain octets, client to destination, and back. */
  bytesUp: number;
  bytesDown: number;
}
