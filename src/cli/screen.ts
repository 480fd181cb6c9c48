/**
 * Where a view is shown that changes. On a terminal it is redrawn in place, as large as the window is, until ^C; what was
 * there before is there again afterwards. Anywhere else one view follows the other.
 */
import { print } from "./output.js";

/** xterm's alternate screen, without a cursor, and lines that end at the margin. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[2K";
const CLEAR_BELOW = "\x1b[J";

/** From one view to the next, in ms. */
export const BETWEEN_VIEWS = 2000;

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Of a terminal that does not say. */
const COLUMNS = 80;
const ROWS = 24;

export class Screen {
  readonly #inPlace: boolean;
  #text = "";
  #entered = false;

  /** @param again whether there will be more than one view */
  constructor(again: boolean) {
    const { TERM = "dumb" } = process.env;
    this.#inPlace = again && process.stdout.isTTY && TERM !== "dumb";
    if (!this.#inPlace) return;
    process.stdout.on("resize", this.#draw);
    process.on("SIGCONT", this.#resume).on("SIGTSTP", this.#suspend).on("exit", this.#leave);
    for (const signal of ENDING) process.on(signal, this.#end);
  }

  show(text: string): void {
    this.#text = text;
    if (!this.#inPlace) return print(text);
    this.#enter();
    this.#draw();
  }

  /** Whatever is written from now on is seen again. Idempotent. */
  close(): void {
    if (!this.#inPlace) return;
    this.#leave();
    process.stdout.off("resize", this.#draw);
    process.off("SIGCONT", this.#resume).off("SIGTSTP", this.#suspend).off("exit", this.#leave);
    for (const signal of ENDING) process.off(signal, this.#end);
  }

  #enter(): void {
    if (!this.#entered) print(ENTER);
    this.#entered = true;
  }

  readonly #leave = (): void => {
    if (this.#entered) print(LEAVE);
    this.#entered = false;
  };

  readonly #draw = (): void => {
    if (this.#entered) print(fitted(this.#text, process.stdout));
  };

  /** ^Z: the shell wants its own screen. */
  readonly #suspend = (): void => {
    this.#leave();
    process.kill(process.pid, "SIGSTOP");
  };

  readonly #resume = (): void => {
    if (this.#text !== "") this.show(this.#text);
  };

  /** ^C is how it is meant to end; of other signals it dies as it would have. */
  readonly #end = (signal: NodeJS.Signals): void => {
    this.close();
    if (signal === "SIGINT") process.exit();
    process.kill(process.pid, signal);
  };
}

/** What draws `text` over whatever was there. */
export function fitted(text: string, size: { columns?: number; rows?: number }): string {
  const columns = size.columns || COLUMNS;
  const rows = size.rows || ROWS;
  const lines = text.replace(/\n$/, "").split("\n");
  const shown = lines.length > rows ? lines.slice(0, rows - 1) : lines;
  const rest = lines.length - shown.length;
  if (rest > 0) shown.push(`(${rest} more lines)`);
  // Of characters that take two places the terminal cuts off what is over.
  const drawn = shown.map((line) => `${CLEAR_LINE}${[...line].slice(0, columns).join("")}`);
  return `${HOME}${drawn.join("\r\n")}${shown.length < rows ? `\r\n${CLEAR_BELOW}` : ""}`;
}
