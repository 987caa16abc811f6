/** Money is an integer number of fen (1 yuan = 100 fen). The largest amount is bounded so that sums stay exact in a double. */

/** Largest single amount accepted: 100 billion yuan. 2^53 fen holds 900 such amounts. */
export const amountFenMax = 10_000_000_000_000;

/** Fen as a plain yuan figure with thousands separators: 1234500 → "12,345.00". */
export function formatYuan(amountFen: number): string {
  return (amountFen / 100).toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ',');
}

/** Fen as Chinese readers write large sums: 98000000 → "98万元", 1234500 → "1.23万元", 99900 → "999.00元". */
export function formatWan(amountFen: number): string {
  if (Math.abs(amountFen) < 1_000_000) return `${formatYuan(amountFen)}元`;
  if (Math.abs(amountFen) >= 10_000_000_000) return `${trimZeros((amountFen / 10_000_000_000).toFixed(2))}亿元`;
  return `${trimZeros((amountFen / 1_000_000).toFixed(2))}万元`;
}

function trimZeros(decimal: string): string {
  return decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal;
}
