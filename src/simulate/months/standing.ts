import { customerAt, pairNormFen, type Population, scaleFen, suppliersPerFirmMax, supplierOf } from '../population.js';
import { hash32 } from '../random.js';
import type { CalendarDate } from './almanac.js';
import { staffOf, tradeOf } from './town.js';

/** How the regular relations of an enterprise come round, and what a month of it costs and brings. */

/** Payments a month of the supplier pairs, the most usual first. */
const rates = [2.7, 2, 1, 1, 1, 0.5, 0.5, 0.5] as const;
/** The mean of a salary that `salaryFen` draws. */
const meanSalaryFen = 850_000;

/**
 * Whether a supplier is paid for this date: some weekly, some twice a month, some monthly, the last ones every second month
 * (in the history, which shows only some months anyway, every month).
 */
export function isSupplierDue({ seed }: Population, pair: number, slot: number, date: CalendarDate, isHistory: boolean): boolean {
  const hash = hash32(seed, pair, 131);
  if (slot === 0 && hash % 10 < 3) return date.weekday === 1 + ((hash >>> 8) % 5);
  const nominal = 1 + ((hash >>> 8) % 28);
  if (slot < 2) return date.date === nominal || date.date === 1 + ((nominal + 13) % 28);
  if (date.date !== nominal) return false;
  return slot < 5 || isHistory || (date.monthNumber + hash) % 2 === 0;
}

/** Whether a relation that comes round monthly does so on this date: `from` … `to` of the month. */
export function isMonthlyDue(seed: number, key: number, salt: number, date: CalendarDate, from = 1, to = 28): boolean {
  return date.date === from + (hash32(seed, key, salt) % (to - from + 1));
}

export function salaryFen({ seed }: Population, employee: number): number {
  return 350_000 + (hash32(seed, employee, 132) % 1_000_000);
}

/** What customers of a shop spend in a month, in fen. */
export function monthlyTakingsFen(population: Population, firm: number): number {
  return salesPerDay(population, firm) * 30 * 25_000;
}

/** Sales of a shop on an ordinary day. */
export function salesPerDay({ seed }: Population, firm: number): number {
  switch (tradeOf(firm)) {
    case 'shop':
    case 'night-shop':
      return 12 + (hash32(seed, firm, 133) % 40);
    case 'marketplace':
      return 50 + (hash32(seed, firm, 133) % 110);
    default:
      return 0;
  }
}

/** What a firm pays in a usual month: suppliers, salaries, dues. */
export function monthlyExpenseFen(population: Population, firm: number): number {
  let expense = staffOf(population, firm) * meanSalaryFen + scaleFen(population, firm);
  for (let slot = 0; slot < suppliersPerFirmMax; slot++) {
    expense += rates[slot]! * pairNormFen(population, firm + slot * population.firms);
  }
  return expense;
}

/** What other firms of the town and its own customers at the till pay it in a usual month. */
export function monthlyIncomeFen(population: Population, firm: number): number {
  let income = tradeOf(firm) === 'marketplace' ? 0 : monthlyTakingsFen(population, firm);
  for (let slot = 0; slot < suppliersPerFirmMax; slot++) {
    income += rates[slot]! * pairNormFen(population, customerAt(population, firm, slot) + slot * population.firms);
  }
  return income;
}

/** The pairs of a firm: its suppliers. */
export function supplierPair(population: Population, firm: number, slot: number): { pair: number; supplier: number } {
  const pair = firm + slot * population.firms;
  return { pair, supplier: supplierOf(population, pair) };
}

/** Months of thin history in which a relation shows: one of the six surely, the others by chance. */
export const historyMonths = 6;

export function isRemembered(seed: number, key: number, monthsBack: number): boolean {
  const hash = hash32(seed, key, 134);
  return hash % historyMonths === monthsBack % historyMonths || hash32(hash, monthsBack, 135) % 100 < 22;
}
