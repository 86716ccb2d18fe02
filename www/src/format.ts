// Numbers for people.

export function seconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
}

/** A time that was guessed and not measured. */
export function roughly(milliseconds: number): string {
  if (milliseconds < 950) return "less than 1 s";
  if (milliseconds < 9_500) return `about ${Math.round(milliseconds / 1000)} s`;
  if (milliseconds < 90_000) return `about ${Math.round(milliseconds / 5000) * 5} s`;
  if (milliseconds < 90 * 60_000) return `about ${Math.round(milliseconds / 60_000)} min`;
  return `about ${Math.round(milliseconds / 3_600_000)} h`;
}

/** Bytes, in the unit that suits them. */
export function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  const place = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${Number((count / 1000 ** place).toPrecision(3))} ${units[place] ?? ""}`;
}

/** A whole number, with thousands set apart. */
export const whole = (count: number): string => count.toLocaleString("en-GB");

/** A share as a percentage, never rounded to nothing or to certainty. The space does not break, as in the engine's words. */
export function percent(share: number): string {
  return percentText(share).replaceAll(" ", "\u00a0");
}

function percentText(share: number): string {
  if (share <= 0) return "0%";
  if (share < 0.001) return "< 0.1%";
  if (share < 0.0995) return `${(share * 100).toFixed(1)}%`;
  if (share > 0.995 && share < 1) return "> 99%";
  return `${Math.round(share * 100)}%`;
}

export const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A title within a sentence: "integrated gradients", but "SmoothGrad". */
export function midSentence(title: string): string {
  const [first = ""] = title.split(" ");
  return /^\p{Lu}\p{Ll}+$/u.test(first) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
}

/** Three significant digits, without an exponent where that is readable. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.001 && size < 1e6)) return String(Number(value.toPrecision(3)));
  return value.toExponential(2);
}
