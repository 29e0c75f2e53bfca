// Numbers as people read them: rounded, with units, always as wide as before.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const kNothing = "–";

export const count = (number) => (number == null ? kNothing : grouped.format(number));

const digits = (number) => (number >= 100 ? 0 : number >= 10 ? 1 : 2);

// [number, unit] of a number of things, in steps of 1000.
export function scaled(number, unit = "") {
  if (number == null || Number.isNaN(number)) return [kNothing, unit];
  let prefix = 0;
  while (number >= 999.5 && prefix < 4) {
    number /= 1000;
    ++prefix;
  }
  const shown = prefix === 0 && Number.isInteger(number) ? String(number) : number.toFixed(digits(number));
  return [shown, ["", "k", "M", "G", "T"][prefix] + unit];
}

// [number, unit] of bytes, in steps of 1024.
export function scaledBytes(bytes, per = "") {
  if (bytes == null || Number.isNaN(bytes)) return [kNothing, "B" + per];
  let prefix = 0;
  while (bytes >= 1023.5 && prefix < 5) {
    bytes /= 1024;
    ++prefix;
  }
  const shown = prefix === 0 ? Math.round(bytes).toString() : bytes.toFixed(digits(bytes));
  return [shown, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][prefix] + per];
}

// [number, unit] of a time in seconds.
export function scaledTime(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return [kNothing, "ms"];
  if (seconds < 1e-3) return [Math.round(seconds * 1e6).toString(), "µs"];
  if (seconds < 1) return [(seconds * 1e3).toFixed(digits(seconds * 1e3)), "ms"];
  return [seconds.toFixed(digits(seconds)), "s"];
}

const joined = ([number, unit]) => (number === kNothing || unit === "" ? number : `${number} ${unit}`);
export const short = (number) => scaled(number).join("");
export const bytes = (number) => (number == null ? kNothing : joined(scaledBytes(number)));
export const time = (seconds) => joined(scaledTime(seconds));

const padded = (number, width = 2) => String(number).padStart(width, "0");

// The time of day, here.
export function clock(ms) {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => padded(part)).join(":");
}

// Date and time, here, to the millisecond.
export function moment(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return String(ms);
  const day = `${date.getFullYear()}-${padded(date.getMonth() + 1)}-${padded(date.getDate())}`;
  return `${day} ${clock(ms)}.${padded(date.getMilliseconds(), 3)}`;
}

export const plural = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;
