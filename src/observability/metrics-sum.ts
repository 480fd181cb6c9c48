import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from "prom-client";

/** As one process tells another. */
export type MetricsAsJson = MetricObjectWithValues<MetricValue<string>>[];

/** The metrics of several processes as one. What those counted that have ended stays: no counter goes back. */
export class MetricsSum {
  readonly #told = new Map<number, MetricsAsJson>();
  #departed: MetricsAsJson = [];

  /** What a process, by its pid, counts now. */
  told(pid: number, metrics: MetricsAsJson): void {
    this.#told.set(pid, metrics);
  }

  /** It is no more. */
  departed(pid: number): void {
    const counted = (this.#told.get(pid) ?? []).filter(({ type }) => COUNTED.has(String(type)));
    this.#told.delete(pid);
    this.#departed = AggregatorRegistry.aggregate([
      this.#departed,
      counted,
    ]).getMetricsAsArray() as MetricsAsJson;
  }

  /** As Prometheus reads them. @param own of this process */
  async text(own: MetricsAsJson): Promise<{ contentType: string; body: string }> {
    const sum = AggregatorRegistry.aggregate([own, ...this.#told.values(), this.#departed]);
    return { contentType: sum.contentType, body: await sum.metrics() };
  }
}

const COUNTED: ReadonlySet<string> = new Set(["counter", "histogram"]);
