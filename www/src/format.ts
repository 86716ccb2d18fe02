// Numbers for people.

import { locale, t } from "./strings/strings.js";

/** So many decimals, as the page's language writes them. */
export const decimals = (value: number, digits: number): string =>
  new Intl.NumberFormat(locale, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  }).format(value);

/** The sign behind a percentage, with the space that the language has before it. */
const percentSign = new Intl.NumberFormat(locale, { style: "percent" }).format(0.5).replace(/^\D*50/, "");

export function seconds(milliseconds: number): string {
  if (milliseconds < 1000) return t`${Math.round(milliseconds)} ms`;
  return `${decimals(milliseconds / 1000, milliseconds < 10_000 ? 1 : 0)} s`;
}

/** A time that was guessed and not measured. */
export function roughly(milliseconds: number): string {
  if (milliseconds < 950) return t`less than 1 s`;
  if (milliseconds < 9_500) return t`about ${Math.round(milliseconds / 1000)} s`;
  if (milliseconds < 90_000) return t`about ${Math.round(milliseconds / 5000) * 5} s`;
  if (milliseconds < 90 * 60_000) return t`about ${Math.round(milliseconds / 60_000)} min`;
  return t`about ${Math.round(milliseconds / 3_600_000)} h`;
}

/** Bytes, in the unit that suits them. */
export function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  const place = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${significant(count / 1000 ** place)} ${units[place] ?? ""}`;
}

/** A whole number, with thousands set apart. */
export const whole = (count: number): string => count.toLocaleString(locale);

/** A share as a percentage, never rounded to nothing or to certainty. The space does not break, as in the engine's words. */
export function percent(share: number): string {
  return percentText(share).replaceAll(" ", "\u00a0");
}

function percentText(share: number): string {
  if (share <= 0) return `0${percentSign}`;
  if (share < 0.001) return `< ${decimals(0.1, 1)}${percentSign}`;
  if (share < 0.0995) return `${decimals(share * 100, 1)}${percentSign}`;
  if (share > 0.995 && share < 1) return `> 99${percentSign}`;
  return `${Math.round(share * 100)}${percentSign}`;
}

export const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A title within a sentence: "integrated gradients", but "SmoothGrad". */
export function midSentence(title: string): string {
  const [first = ""] = title.split(" ");
  return /^\p{Lu}\p{Ll}+$/u.test(first) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
}

/** Three significant digits. */
const significant = (value: number): string =>
  new Intl.NumberFormat(locale, { maximumSignificantDigits: 3, useGrouping: false }).format(value);

/** Three significant digits, without an exponent where that is readable. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.001 && size < 1e6)) return significant(value);
  return value.toExponential(2).replace(".", decimals(0.5, 1).charAt(1));
}
