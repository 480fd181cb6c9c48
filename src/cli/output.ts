/**
 * What commands print and tell. A reader that has seen enough, as `head` has, is no failure: the command ends without
 * a word, as others do of SIGPIPE. Both streams are left alone until they are written to: `connect` has its own way with
 * their descriptors.
 */
import { NetworkError } from "../errors.js";

/** The reader has gone; of a terminal, its window. */
const GONE: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO"]);

let watching = false;
let silenced = false;

/** To standard output. @throws NetworkError (OUTPUT_FAILED) */
export function print(text: string): void {
  if (!watching) process.stdout.on("error", failed);
  watching = true;
  try {
    process.stdout.write(text);
  } catch (error) {
    // A file's.
    throw outputFailed(error as Error);
  }
}

/** To standard error. */
export function tell(text: string): void {
  // There is nobody left to tell.
  if (!silenced) process.stderr.on("error", () => {});
  silenced = true;
  process.stderr.write(text);
}

export function outputFailed(error: Error): NetworkError {
  return new NetworkError("OUTPUT_FAILED", `standard output can't be written: ${error.message}`, {
    cause: error,
  });
}

function failed(error: NodeJS.ErrnoException): never {
  if (GONE.has(error.code)) process.exit();
  tell(`gssocks: ${outputFailed(error).message}\n`);
  process.exit(1);
}
