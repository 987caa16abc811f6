/** Money is an integer number of fen (1 yuan = 100 fen). The largest amount is bounded so that sums stay exact in a double. */

/** Largest single amount accepted: 100 billion yuan. 2^53 fen holds 900 such amounts. */
export const amountFenMax = 10_000_000_000_000;

/** Fen as a plain yuan figure with thousands separators: 1234500 → "12,345.00". */
export function formatYuan(amountFen: number): string {
  const text = (amountFen / 100).toFixed(2);
  const first = amountFen < 0 ? 1 : 0;
  let grouped = text.slice(-fenLength);
  let end = text.length - fenLength;
  for (; end - first > 3; end -= 3) grouped = `,${text.slice(end - 3, end)}${grouped}`;
  return text.slice(0, end) + grouped;
}

/** `.00` */
const fenLength = 3;

/** Fen as Chinese readers write large sums: 98000000 → "98万元", 1234500 → "1.23万元", 99900 → "999.00元". */
export function formatWan(amountFen: number): string {
  if (Math.abs(amountFen) < 1_000_000) return `${formatYuan(amountFen)}元`;
  if (Math.abs(amountFen) >= 10_000_000_000) return `${trimZeros((amountFen / 10_000_000_000).toFixed(2))}亿元`;
  return `${trimZeros((amountFen / 1_000_000).toFixed(2))}万元`;
}

/** An amount of any currency in hundredths, as Chinese readers write it: "98万元", "JPY 20万". */
export function formatWanIn(currency: string, amountFen: number): string {
  return currency === 'CNY' ? formatWan(amountFen) : `${currency} ${formatWan(amountFen).replace('元', '')}`;
}

/** A figure with two decimals without the zeros at its end. */
function trimZeros(decimal: string): string {
  if (decimal.endsWith('.00')) return decimal.slice(0, -3);
  return decimal.endsWith('0') ? decimal.slice(0, -1) : decimal;
}
