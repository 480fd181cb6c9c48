/**
 * A worker process of `gssocks serve`. Signals are the primary's: a terminal and a service manager send them to all
 * processes alike, and a worker that has not even read its code yet must not die of one, nor open Node's debugger.
 */
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) process.on(signal, () => {});

const { work } = await import("./work.js");
work();

export {};
