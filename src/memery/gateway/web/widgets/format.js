// Formatting: numbers and dates in the browser's locale, file names.

/** @param {Intl.DateTimeFormatOptions} options */
const dateFormat = (options) => new Intl.DateTimeFormat(undefined, { calendar: "gregory", ...options });
const counts = new Intl.NumberFormat();
const moments = dateFormat({ dateStyle: "long", timeStyle: "short" });
const days = dateFormat({ dateStyle: "medium" });
const years = dateFormat({ year: "numeric" });
const months = dateFormat({ month: "long", year: "numeric" });
const shortMonths = dateFormat({ month: "short" });

/** @param {number} number */
export const count = (number) => counts.format(number);

/**
 * @param {number} number
 * @param {number} digits after the decimal point
 */
export const decimal = (number, digits) =>
  number.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/**
 * A number and its noun: `3 images`.
 * @param {number} number
 * @param {string} one the noun's singular
 * @param {string} many
 */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** @param {string} path */
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

/**
 * The folder of a path, or "" at the top.
 * @param {string} path
 */
export const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/**
 * A percentage, rounded down; 0 if the total is not known.
 * @param {number} done
 * @param {number} total
 */
export const percent = (done, total) => (total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0);

/**
 * A period as filters name it: "2023", "2023-05" or "2023-05-31"; anything else is returned unchanged.
 * @param {string} name
 */
export function period(name) {
  const [, year, month, day] = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(name) ?? [];
  if (!year) return name;
  const format = day ? days : month ? months : years;
  return format.format(new Date(Number(year), Number(month ?? 7) - 1, Number(day ?? 15)));
}

/** @param {string} name of a period */
export const yearOf = (name) => period(name.slice(0, 4));

/** @param {string} name of a month: "2023-05" */
export const shortMonth = (name) => shortMonths.format(new Date(`${name}-15T12:00`));

/**
 * An ISO date and time, or "" if it is invalid.
 * @param {string} iso
 */
export function moment(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : moments.format(date);
}

/** @param {number} size bytes */
export function bytes(size) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let unit = 0;
  let number = size;
  for (; number >= 1000 && unit < units.length - 1; unit += 1) number /= 1000;
  const unitDisplay = unit === 0 ? "long" : "short";
  return number.toLocaleString(undefined, { style: "unit", unit: units[unit], unitDisplay, maximumFractionDigits: number >= 10 ? 0 : 1 });
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return "less than a minute";
  if (seconds < 5400) return counted(Math.round(seconds / 60), "minute");
  return counted(Math.round(seconds / 3600), "hour");
}
