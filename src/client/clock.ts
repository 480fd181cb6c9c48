/** Time, for what has to be tried without waiting for it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` later; does not keep the process. @returns takes it back */
  after(milliseconds: number, task: () => void): () => void;
  /** From 0 up to 1. */
  random(): number;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds).unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
