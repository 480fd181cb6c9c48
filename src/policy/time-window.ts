/** Days and hours in a time zone, by the clock on the wall there: what summer time does to it is what it does to clocks. */
import { UsageError } from "../errors.js";

const DAYS: readonly string[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY = 24 * 60;
const MINUTE = 60_000;

/** Minutes of a day, the end not included; one that ends at or before its beginning goes on past midnight. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface TimeWindowOptions {
  /** By day of the week from Monday on; a span that goes past midnight is of the day it begins on. */
  readonly days?: readonly boolean[] | undefined;
  readonly hours?: readonly Span[] | undefined;
  readonly zone: TimeZone;
  /** As it was written. */
  readonly text: string;
}

export class TimeWindow {
  readonly text: string;
  readonly #days: readonly boolean[];
  readonly #hours: readonly Span[];
  readonly #zone: TimeZone;

  constructor({ days, hours, zone, text }: TimeWindowOptions) {
    this.#days = days ?? DAYS.map(() => true);
    this.#hours = hours ?? [{ from: 0, to: DAY }];
    this.#zone = zone;
    this.text = text;
  }

  /** @param time milliseconds since 1970 */
  contains(time: number): boolean {
    const { day, minute } = this.#zone.clock(time);
    const today = this.#days[day] === true;
    const yesterday = this.#days[(day + 6) % 7] === true;
    return this.#hours.some(({ from, to }) =>
      from < to
        ? today && minute >= from && minute < to
        : (today && minute >= from) || (yesterday && minute < to),
    );
  }

  /** The time as the clock there shows it: `Mon 08:05 in Europe/Berlin`. */
  show(time: number): string {
    return this.#zone.show(time);
  }
}

export class TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  /** Formatting costs microseconds, and a minute sees thousands of sessions. */
  #minute = Number.NaN;
  #clock = { day: 0, minute: 0 };

  /** @param name `Europe/Berlin`, `UTC` */
  constructor(name: string) {
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
      });
    } catch {
      const found = JSON.stringify(name);
      throw new UsageError("BAD_TIME", `expected a time zone as Europe/Berlin or UTC, found ${found}`);
    }
    this.name = name;
  }

  clock(time: number): { readonly day: number; readonly minute: number } {
    const minute = Math.floor(time / MINUTE);
    if (minute !== this.#minute) {
      const parts = new Map(this.#format.formatToParts(time).map(({ type, value }) => [type, value]));
      const day = DAYS.indexOf(parts.get("weekday")?.toLowerCase() ?? "");
      this.#clock = { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
      this.#minute = minute;
    }
    return this.#clock;
  }

  show(time: number): string {
    const { day, minute } = this.clock(time);
    const digits = (value: number) => String(value).padStart(2, "0");
    const name = DAYS[day] ?? "";
    return `${name} ${digits(Math.floor(minute / 60))}:${digits(minute % 60)} in ${this.name}`;
  }
}

/**
 * @param entries `mon`, `mon-fri`, `sat-mon`
 * @throws UsageError (BAD_TIME)
 */
export function parseDays(entries: readonly string[]): boolean[] {
  const days = DAYS.map(() => false);
  for (const entry of entries) {
    const [first, last = first, ...rest] = entry
      .toLowerCase()
      .split("-")
      .map((name) => DAYS.indexOf(name));
    if (first === undefined || last === undefined || rest.length > 0 || first === -1 || last === -1)
      throw new UsageError(
        "BAD_TIME",
        `expected a day or days as mon or mon-fri, found ${JSON.stringify(entry)}`,
      );
    for (let day = first; ; day = (day + 1) % 7) {
      days[day] = true;
      if (day === last) break;
    }
  }
  return days;
}

/**
 * @param text `08:00-18:00`, `22:00-06:00`; several with commas between
 * @throws UsageError (BAD_TIME)
 */
export function parseHours(text: string): Span[] {
  return text.split(",").map((each) => {
    const [, h1, m1, h2, m2] = /^\s*(\d\d):(\d\d)-(\d\d):(\d\d)\s*$/.exec(each) ?? [];
    const from = Number(h1) * 60 + Number(m1);
    const to = Number(h2) * 60 + Number(m2);
    if (Number(m1) < 60 && Number(m2) < 60 && from < DAY && to <= DAY && from !== to) return { from, to };
    const expected = "hours as 08:00-18:00 or, past midnight, 22:00-06:00";
    throw new UsageError("BAD_TIME", `expected ${expected}, found ${JSON.stringify(each)}`);
  });
}
