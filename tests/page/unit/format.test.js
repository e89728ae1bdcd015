// Numbers, dates, sizes and names as users see them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { bytes, counted, decimal, duration, fileName, folderOf, moment, percent, period, shortMonth, yearOf } from "../../../src/memery/gateway/web/widgets/format.js";

const year = new Intl.DateTimeFormat(undefined, { calendar: "gregory", year: "numeric" });
const month = new Intl.DateTimeFormat(undefined, { calendar: "gregory", year: "numeric", month: "long" });

test("splits paths into folder and name", () => {
  for (const [path, folder, name] of [["a.jpg", "", "a.jpg"], ["b/c/a.jpg", "b/c", "a.jpg"], ["/a.jpg", "", "a.jpg"], ["Ελλάδα/砂 浜.png", "Ελλάδα", "砂 浜.png"], ["", "", ""]]) {
    assert.equal(folderOf(path), folder);
    assert.equal(fileName(path), name);
  }
});

test("counts in singular and plural", () => {
  assert.match(counted(0, "image"), /^\S+ images$/);
  assert.match(counted(1, "image"), /^\S+ image$/);
  assert.match(counted(2, "copy", "copies"), /^\S+ copies$/);
});

test("rounds percentages down, and knows no more than 100", () => {
  assert.equal(percent(999, 1000), 99);
  assert.equal(percent(5, 0), 0);
  assert.equal(percent(0, 5), 0);
  assert.equal(percent(7, 5), 100);
});

test("formats years, months and days of the Gregorian calendar", () => {
  assert.equal(period("2023"), year.format(new Date(2023, 6, 15)));
  assert.equal(period("2023-05"), month.format(new Date(2023, 4, 15)));
  assert.equal(period("2023-01-01"), new Intl.DateTimeFormat(undefined, { calendar: "gregory", dateStyle: "medium" }).format(new Date(2023, 0, 1)));
  assert.equal(yearOf("2023-12"), period("2023"));
  assert.equal(shortMonth("2023-01"), new Intl.DateTimeFormat(undefined, { calendar: "gregory", month: "short" }).format(new Date(2023, 0, 15)));
});

test("formats years of the Gregorian calendar in a locale with another one", () => {
  const url = new URL("../../../src/memery/gateway/web/widgets/format.js", import.meta.url);
  const script = `console.log((await import(${JSON.stringify(url.href)})).period("2023"))`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { env: { LC_ALL: "th_TH.UTF-8" }, encoding: "utf8" });
  assert.match(printed, /2023/); // and not 2566
});

test("leaves other periods unchanged", () => {
  for (const name of ["", "30d", "2023-5", "23", "2023-05-31T10:00", "last year"]) assert.equal(period(name), name);
});

test("shows nothing for an invalid moment", () => {
  assert.equal(moment("nonsense"), "");
  assert.equal(moment(""), "");
  assert.notEqual(moment("2023-05-31T10:00:00"), "");
});

test("chooses the unit of a file's size", () => {
  const formatted = (number, unit, unitDisplay) => number.toLocaleString(undefined, { style: "unit", unit, unitDisplay });
  assert.equal(bytes(0), formatted(0, "byte", "long"));
  assert.equal(bytes(999), formatted(999, "byte", "long"));
  assert.equal(bytes(1000), formatted(1, "kilobyte", "short"));
  assert.equal(bytes(1_500_000), formatted(1.5, "megabyte", "short"));
  assert.equal(bytes(12_345_678), formatted(12, "megabyte", "short"));
  assert.equal(bytes(5e12), formatted(5000, "gigabyte", "short"));
});

test("rounds durations", () => {
  assert.equal(duration(0), "less than a minute");
  assert.match(duration(60), / minute$/);
  assert.match(duration(5399), / minutes$/);
  assert.match(duration(5400), / hours$/);
});

test("shows as many digits as wanted", () => {
  assert.match(decimal(0.3, 3), /300$/);
});
