/**
 * A text as a number: 53 bits of hash (two rounds of 32-bit mixing over its UTF-16 units), never 0, which stands for "none".
 * Two texts among a million share one with a chance of 1 in 18,000. Not for what an attacker gains by colliding.
 */
export function textKey(text: string): number {
  let low = 0x9e3779b9 | 0;
  let high = 0x41c6ce57 | 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x85ebca6b);
    high = Math.imul(high ^ unit, 0xc2b2ae35);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high >>> 11) * 2 ** 32 + (low >>> 0) || 1;
}
