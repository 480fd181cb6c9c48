import type { Config } from "../config/schema.js";
import type { Observer } from "../observability/events.js";
import { Metrics, type MetricsSources } from "../observability/metrics.js";
import { MetricsSum } from "../observability/metrics-sum.js";
import type { Listener } from "../server/listener.js";
import { MetricsListener } from "../server/metrics-listener.js";

/** What is served: by this process, or by workers of its. */
export interface Service {
  notReady(): Promise<readonly string[]>;
  /** Absent: that this process answers is all there is to say. */
  notHealthy?(): Promise<readonly string[]>;
  /** Tells what the workers count to the sum. */
  collectMetrics?(sum: MetricsSum): Promise<void>;
}

/** The metrics of `gssocks serve`, and where they are read. */
export class ServedMetrics {
  /** Of the workers. */
  readonly sum = new MetricsSum();
  readonly #address: NonNullable<Config["metrics"]>;
  readonly #metrics: Metrics;
  #listener: MetricsListener | null = null;

  /** @param sources of this process */
  constructor(address: NonNullable<Config["metrics"]>, sources: MetricsSources) {
    this.#address = address;
    this.#metrics = new Metrics(sources);
  }

  /** Counts, and tells the next. */
  observer(next: Observer): Observer {
    const { observer } = this.#metrics;
    return (event) => {
      next(event);
      observer(event);
    };
  }

  /** To be open before the service is, and until it has ended: they tell that it is not ready. */
  async open(service: Service, observer: Observer): Promise<void> {
    const sources = {
      metrics: async () => {
        await service.collectMetrics?.(this.sum);
        return this.sum.text(await this.#metrics.json());
      },
      notReady: () => service.notReady(),
      notHealthy: async () => (await service.notHealthy?.()) ?? [],
    };
    this.#listener = await MetricsListener.open(this.#address, sources, observer);
  }

  get bound(): Listener["bound"][] {
    return this.#listener === null ? [] : [this.#listener.bound];
  }

  close(): void {
    this.#listener?.close();
    this.#metrics.close();
  }
}
