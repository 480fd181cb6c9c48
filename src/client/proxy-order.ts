/** In which order proxies are tried. */

/** Where DNS places a proxy (RFC 2782). */
export interface SrvPlace {
  /** The lowest first. */
  readonly priority: number;
  /** The share of those of one priority. */
  readonly weight: number;
}

/** `first`: as they are listed; `round-robin`: beginning with another one each time. */
export type ListOrder = "first" | "round-robin";

/** @param turn counts the times */
export function listedOrder<Proxy>(proxies: readonly Proxy[], order: ListOrder, turn: number): Proxy[] {
  const at = order === "first" || proxies.length === 0 ? 0 : turn % proxies.length;
  return [...proxies.slice(at), ...proxies.slice(0, at)];
}

/**
 * RFC 2782: by priority, and among those of one priority by chance, in proportion to their weights.
 * @param random from 0 up to 1
 */
export function srvOrder<Proxy extends SrvPlace>(proxies: readonly Proxy[], random: () => number): Proxy[] {
  const priorities = [...new Set(proxies.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    byWeight(
      proxies.filter((each) => each.priority === priority),
      random,
    ),
  );
}

function byWeight<Proxy extends SrvPlace>(proxies: readonly Proxy[], random: () => number): Proxy[] {
  // Those of weight 0 come first, which gives them a small chance.
  const left = [...proxies].sort((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
  const ordered: Proxy[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    const drawn = Math.floor(random() * (sum + 1));
    let running = 0;
    const at = left.findIndex(({ weight }) => {
      running += weight;
      return running >= drawn;
    });
    ordered.push(...left.splice(at, 1));
  }
  return ordered;
}

/** Those that are down come last, each part in the order it was. */
export function healthyFirst<Proxy>(proxies: readonly Proxy[], isDown: (proxy: Proxy) => boolean): Proxy[] {
  return [...proxies.filter((proxy) => !isDown(proxy)), ...proxies.filter(isDown)];
}
