import { hash32 } from './random.js';

/** Invented exchange rates near the true ones: what 100 units of a foreign currency cost, in fen. */
export const currencies = ['USD', 'EUR', 'JPY', 'HKD', 'GBP'] as const;
export type Currency = (typeof currencies)[number];

const baseFen: Readonly<Record<Currency, number>> = { USD: 71_000, EUR: 78_000, JPY: 4_800, HKD: 9_100, GBP: 91_000 };

/** The rate of a day, the same in every simulation; it moves by at most 1.5 % around its base. */
export function fenPer100(currency: Currency, day: number): number {
  const swing = (hash32(day, currencies.indexOf(currency), 101) % 3_001) - 1_500;
  return Math.round(baseFen[currency] * (1 + swing / 100_000));
}
