/**
 * The listening sockets that systemd has opened for us (sd_listen_fds(3)): LISTEN_FDS descriptors from 3 on, for the process
 * LISTEN_PID, named by LISTEN_FDNAMES. They stay open as long as we run: what is not accepted waits for whoever is started
 * next.
 */
import type { ListenerAddress } from "../protocol/listener-address.js";

const FIRST = 3;

/** More than any unit has: what stands in the environment is not to be believed. */
const MOST = 1024;

const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

/** sd_listen_fds_with_names(3): of a socket that nobody has named. */
const UNNAMED = "unknown";

export class InheritedSockets {
  /** By their descriptors, from {@link FIRST} on. */
  readonly #names: readonly string[];

  /** Takes the variables out of the environment: they are not for the processes that we start. */
  static take(environment: NodeJS.ProcessEnv = process.env, pid = process.pid): InheritedSockets {
    const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES } = environment;
    for (const variable of VARIABLES) delete environment[variable];
    const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0;
    if (LISTEN_PID !== String(pid) || count > MOST) return new InheritedSockets([]);
    const names = LISTEN_FDNAMES?.split(":") ?? [];
    return new InheritedSockets(Array.from({ length: count }, (_, index) => names[index] || UNNAMED));
  }

  private constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Each listener that names one with its descriptor: the first of a name's with the first of those, and so on. */
  give<Listener extends ListenerAddress>(listeners: readonly Listener[]): Listener[] {
    const left = this.#names.map((name, index) => ({ name, descriptor: FIRST + index }));
    return listeners.map((listener) => {
      if (!("systemd" in listener)) return listener;
      const at = left.findIndex(({ name }) => name === listener.systemd);
      const [socket] = at < 0 ? [] : left.splice(at, 1);
      return socket === undefined ? listener : { ...listener, descriptor: socket.descriptor };
    });
  }

  /** Names of those that no listener takes: who connects there waits in vain. */
  unused(listeners: readonly ListenerAddress[]): string[] {
    const given = this.give(listeners).map((each) => ("systemd" in each ? each.descriptor : undefined));
    return this.#names.filter((_, index) => !given.includes(FIRST + index));
  }
}
