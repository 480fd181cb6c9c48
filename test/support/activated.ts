/** A program that gets its listening sockets from whoever starts it, as sd_listen_fds(3) has it. */
import { type Running, type StartOptions, start } from "./processes.js";

/** Each of `sockets` is a descriptor from 3 on: Python hands them out in this order. */
const ACTIVATE = `
import os, socket, sys
count = int(sys.argv[1])
sockets = []
for at in sys.argv[2:2 + count]:
    if at.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(at)
    else:
        one = socket.socket()
        one.bind((at, 0))
    one.listen()
    assert one.fileno() == 3 + len(sockets)
    one.set_inheritable(True)
    sockets.append(one)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(count)
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
`;

/**
 * @param sockets by their names: an IPv4 address to listen on, whose port the system picks, or the path of a Unix socket
 * @param command the program and its arguments
 */
export function startActivated(
  sockets: readonly (readonly [name: string, at: string])[],
  command: readonly string[],
  { env, ...options }: StartOptions = {},
): Promise<Running> {
  const args = ["-c", ACTIVATE, String(sockets.length), ...sockets.map(([, at]) => at), ...command];
  const names = sockets.map(([name]) => name).join(":");
  return start("/usr/bin/python3", args, { ...options, env: { ...env, LISTEN_FDNAMES: names } });
}
