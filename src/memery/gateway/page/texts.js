// Figures, dates and names as people read them.

const counts = new Intl.NumberFormat("en");
const days = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const times = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });
const months = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });
const shortMonths = new Intl.DateTimeFormat("en", { month: "short" });

export const count = (number) => counts.format(number);
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);
export const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const percent = (done, total) => (total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0);

/** "2023-05" → "May 2023"; what is no month stays as it is. */
export function month(name) {
  const date = dateOf(name);
  return date ? months.format(date) : name;
}

export function shortMonth(name) {
  const date = dateOf(name);
  return date ? shortMonths.format(date) : name;
}

/** An ISO time as the picture's own clock showed it. */
export function moment(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : `${days.format(date)}, ${times.format(date)}`;
}

export function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  let number = size;
  for (; number >= 1000 && unit < units.length - 1; unit += 1) number /= 1000;
  return `${number >= 10 || unit === 0 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds < 60) return "less than a minute";
  if (seconds < 5400) return counted(Math.round(seconds / 60), "minute");
  return counted(Math.round(seconds / 3600), "hour");
}

function dateOf(name) {
  const parts = /^(\d{4})-(\d{2})$/.exec(name);
  return parts ? new Date(Number(parts[1]), Number(parts[2]) - 1, 15) : null;
}
