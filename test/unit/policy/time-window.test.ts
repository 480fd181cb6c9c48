import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import { parseDays, parseHours, TimeWindow, TimeZone } from "../../../src/policy/time-window.js";

function window(days: string | null, hours: string | null, zone: string): TimeWindow {
  return new TimeWindow({
    days: days === null ? undefined : parseDays(days.split(",")),
    hours: hours === null ? undefined : parseHours(hours),
    zone: new TimeZone(zone),
    text: "",
  });
}

test("days and hours, by the clock on the wall", () => {
  const table: [days: string | null, hours: string | null, zone: string, time: string, is: boolean][] = [
    // 2024-01-01 was a Monday.
    ["mon-fri", "08:00-18:00", "UTC", "2024-01-01T08:00:00Z", true],
    ["mon-fri", "08:00-18:00", "UTC", "2024-01-01T07:59:59.999Z", false],
    ["mon-fri", "08:00-18:00", "UTC", "2024-01-01T17:59:59.999Z", true],
    ["mon-fri", "08:00-18:00", "UTC", "2024-01-01T18:00:00Z", false],
    ["mon-fri", "08:00-18:00", "UTC", "2024-01-06T12:00:00Z", false],
    ["mon-fri", "08:00-18:00", "Europe/Berlin", "2024-01-01T07:00:00Z", true],
    ["mon-fri", "08:00-18:00", "Asia/Kolkata", "2024-01-01T02:29:00Z", false],
    ["mon-fri", "08:00-18:00", "Asia/Kolkata", "2024-01-01T02:30:00Z", true],
    ["sat-mon", null, "UTC", "2024-01-07T23:59:00Z", true],
    ["sat-mon", null, "UTC", "2024-01-02T00:00:00Z", false],
    ["sat-mon,WED", null, "UTC", "2024-01-03T00:00:00Z", true],
    [null, "12:00-13:00", "UTC", "2024-01-06T12:30:00Z", true],
    [null, "08:00-12:00, 13:00-17:00", "UTC", "2024-01-06T12:30:00Z", false],
    [null, "08:00-12:00, 13:00-17:00", "UTC", "2024-01-06T13:30:00Z", true],
    [null, "20:00-24:00", "UTC", "2024-01-06T23:59:00Z", true],
    [null, "20:00-24:00", "UTC", "2024-01-07T00:00:00Z", false],
    [null, "22:00-00:00", "UTC", "2024-01-07T00:00:00Z", false],
    // Past midnight: of the day it begins on.
    ["fri", "22:00-06:00", "UTC", "2024-01-05T21:59:00Z", false],
    ["fri", "22:00-06:00", "UTC", "2024-01-05T22:00:00Z", true],
    ["fri", "22:00-06:00", "UTC", "2024-01-06T05:59:00Z", true],
    ["fri", "22:00-06:00", "UTC", "2024-01-06T06:00:00Z", false],
    ["fri", "22:00-06:00", "UTC", "2024-01-05T03:00:00Z", false],
    ["fri", "22:00-06:00", "UTC", "2024-01-06T22:00:00Z", false],
    ["sun", "22:00-06:00", "UTC", "2024-01-08T05:00:00Z", true],
    // Summer time begins: 02:00 to 03:00 is not there, and 08:00 comes an hour sooner.
    ["sun", "08:00-09:00", "Europe/Berlin", "2024-03-31T06:30:00Z", true],
    ["sun", "08:00-09:00", "Europe/Berlin", "2024-03-24T06:30:00Z", false],
    ["sun", "01:00-03:00", "Europe/Berlin", "2024-03-31T00:59:00Z", true],
    ["sun", "01:00-03:00", "Europe/Berlin", "2024-03-31T01:00:00Z", false],
    ["sun", "02:00-03:00", "Europe/Berlin", "2024-03-31T01:00:00Z", false],
    // It ends: 02:00 to 03:00 is there twice.
    ["sun", "02:00-03:00", "Europe/Berlin", "2024-10-27T00:30:00Z", true],
    ["sun", "02:00-03:00", "Europe/Berlin", "2024-10-27T01:30:00Z", true],
    ["sun", "02:00-03:00", "Europe/Berlin", "2024-10-27T02:00:00Z", false],
    ["sat", "22:00-02:30", "Europe/Berlin", "2024-10-27T00:45:00Z", false],
    ["sat", "22:00-02:30", "Europe/Berlin", "2024-10-27T01:15:00Z", true],
  ];
  for (const [days, hours, zone, time, is] of table) {
    const asked = window(days, hours, zone);
    assert.equal(asked.contains(Date.parse(time)), is, `${days} ${hours} ${zone} at ${time}`);
    // What was asked a moment before does not matter.
    asked.contains(0);
    assert.equal(asked.contains(Date.parse(time)), is);
  }
});

test("the time is shown as the clock there shows it", () => {
  assert.equal(
    window(null, null, "Europe/Berlin").show(Date.parse("2024-07-01T22:05:00Z")),
    "Tue 00:05 in Europe/Berlin".toLowerCase().replace("europe/berlin", "Europe/Berlin"),
  );
});

test("what is wrong is said", () => {
  for (const hours of [
    "",
    "8:00-18:00",
    "08:00",
    "08:00-08:00",
    "24:00-25:00",
    "08:60-09:00",
    "08:00-24:01",
    "08:00-12:00,",
  ])
    assert.throws(() => parseHours(hours), UsageError, hours);
  for (const day of ["", "monday", "mon-", "mon-fri-sun", "1"])
    assert.throws(() => parseDays([day]), UsageError, day);
  assert.throws(() => new TimeZone("Europe/Atlantis"), /expected a time zone.*found "Europe\/Atlantis"/);
});
