/** What a reader needs when a test has failed: the logs of the servers that took part. */
import type { TestContext } from "node:test";

/**
 * Writes `logs()` to standard error if the test fails. Call it at the test's beginning, with the realm's `logs`, a
 * server's output and the like.
 */
export function showOnFailure(test: TestContext, logs: () => string | Promise<string>): void {
  test.after(async () => {
    // `passed` is there from Node 20.12 and 21.7, and true by the time this hook runs.
    if (!(test as TestContext & { passed: boolean }).passed)
      process.stderr.write(`\n${test.name}:\n${await logs()}\n`);
  });
}
