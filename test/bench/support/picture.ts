import type { Row } from "./benchmark.js";
export function picture(_rows: readonly Row[]): string {
  return "";
}
