// Numbers and dates in the browser's locale; names of files.

const dates = (options) => new Intl.DateTimeFormat(undefined, { calendar: "gregory", ...options });
const counts = new Intl.NumberFormat();
const moments = dates({ dateStyle: "long", timeStyle: "short" });
const days = dates({ dateStyle: "medium" });
const years = dates({ year: "numeric" });
const months = dates({ month: "long", year: "numeric" });
const shortMonths = dates({ month: "short" });

export const count = (number) => counts.format(number);
export const decimal = (number, digits) => number.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);
export const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const percent = (done, total) => (total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0);

/** A span of time, as filters name it: "2023", "2023-05", "2023-05-31"; anything else stays as it is. */
export function span(name) {
  const [, year, month, day] = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(name) ?? [];
  if (!year) return name;
  const format = day ? days : month ? months : years;
  return format.format(new Date(Number(year), Number(month ?? 7) - 1, Number(day ?? 15)));
}

export const yearOf = (name) => span(name.slice(0, 4));
export const shortMonth = (name) => shortMonths.format(new Date(`${name}-15T12:00`));

/** An ISO date and time. */
export function moment(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : moments.format(date);
}

export function bytes(size) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let unit = 0;
  let number = size;
  for (; number >= 1000 && unit < units.length - 1; unit += 1) number /= 1000;
  const unitDisplay = unit === 0 ? "long" : "short";
  return number.toLocaleString(undefined, { style: "unit", unit: units[unit], unitDisplay, maximumFractionDigits: number >= 10 ? 0 : 1 });
}

export function duration(seconds) {
  if (seconds < 60) return "less than a minute";
  if (seconds < 5400) return counted(Math.round(seconds / 60), "minute");
  return counted(Math.round(seconds / 3600), "hour");
}
