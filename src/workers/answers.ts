/** What the workers say, as one, when somebody asks how the server is. */
import type { MetricsSum } from "../observability/metrics-sum.js";
import type { WorkerProcess } from "./worker-process.js";

/** How long a worker may take to answer, in ms: one that takes longer is not of much use to clients either. */
const PATIENCE = 5000;

/** Nothing where one of them can serve, which is all that a client needs. */
export async function notReady(workers: readonly WorkerProcess[]): Promise<string[]> {
  const asked = workers.map(async (worker) => {
    const reasons = await inTime(worker.notReady(), [silent(worker)]);
    if (reasons.length > 0) throw new Unready(reasons);
  });
  try {
    await Promise.any(asked);
    return [];
  } catch (error) {
    const reasons = (error as AggregateError).errors.flatMap((each: Unready) => each.reasons);
    return reasons.length === 0 ? ["no worker serves"] : [...new Set(reasons)];
  }
}

/** Each of them has to answer. */
export async function notHealthy(workers: readonly WorkerProcess[]): Promise<string[]> {
  const asked = workers.map(async (worker) =>
    (await inTime(worker.answers(), false)) ? [] : [silent(worker)],
  );
  return (await Promise.all(asked)).flat();
}

/** Tells `sum` what each counts; of one that does not answer it knows what it was told before. */
export async function collectMetrics(workers: readonly WorkerProcess[], sum: MetricsSum): Promise<void> {
  await Promise.all(
    workers.map(async (worker) => {
      const metrics = await inTime(worker.metrics(), null);
      if (metrics !== null) sum.told(worker.pid, metrics);
    }),
  );
}

class Unready extends Error {
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[]) {
    super();
    this.reasons = reasons;
  }
}

function silent({ pid }: WorkerProcess): string {
  return `worker ${pid} does not answer`;
}

async function inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, otherwise);
  });
  const first = await Promise.race([answer, late]);
  clearTimeout(timer);
  return first;
}
