/** Lines are gathered for so long, in ms, and up to so many characters, so that one write serves those of many sessions. */
const GATHER = 5;
const MOST = 65_536;

export interface GatheredLines {
  write(line: string): void;
  /** Writes what there is. */
  flush(): void;
}

export function gatheredLines(write: (lines: string) => void): GatheredLines {
  let lines = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const gathered = lines;
    lines = "";
    write(gathered);
  };
  return {
    write: (line) => {
      lines += line;
      if (lines.length >= MOST) flush();
      else timer ??= setTimeout(flush, GATHER);
    },
    flush,
  };
}
