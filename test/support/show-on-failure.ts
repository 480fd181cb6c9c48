/** What a reader needs when a test has failed: the logs of the servers that took part. */
import type { TestContext } from "node:test";

// There from Node 20.12 and 21.7; set by the time the hooks run.
type Judged = { name: string; passed: boolean };

/**
 * Writes `logs()` to standard error if the test, or a subtest right below it, fails. Call it before the hooks that stop
 * the servers are registered: hooks run in that order, and a stopped realm has no logs.
 */
export function showOnFailure(test: TestContext, logs: () => string | Promise<string>): void {
  const show = async (context: unknown) => {
    const { name, passed } = context as Judged;
    if (!passed) process.stderr.write(`\n${name}:\n${await logs()}\n`);
  };
  test.after(() => show(test));
  test.afterEach((context) => show(context));
}
