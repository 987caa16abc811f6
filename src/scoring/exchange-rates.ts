import { snapshotted, type Snapshotted } from './snapshot-state.js';

/** Prices of foreign currencies, by day as they were sent. */
export interface ExchangeRates {
  take(currency: string, fenPer100: number, timeMs: number): void;
  /**
   * Whether the amount is a round foreign sum at the latest rate known at `atMs`, within the tolerance (a share of it): a multiple
   * of half its leading power of ten (10,000 15,000 … 95,000), so that a random amount is one with about one in a hundred.
   */
  isRound(amountFen: number, atMs: number, tolerance: number): boolean;
  readonly snapshot: Snapshotted;
}

/** Below so many units nothing counts as round. */
const leastUnits = 1_000;
const ratesMax = 400;

export function createExchangeRates(): ExchangeRates {
  const byCurrency = new Map<string, { readonly timeMs: number; readonly fenPer100: number }[]>();
  return {
    take(currency, fenPer100, timeMs) {
      const rates = (byCurrency.get(currency) ?? []).filter((rate) => rate.timeMs !== timeMs);
      byCurrency.set(currency, [...rates, { timeMs, fenPer100 }].toSorted((a, b) => a.timeMs - b.timeMs).slice(-ratesMax));
    },
    isRound(amountFen, atMs, tolerance) {
      for (const rates of byCurrency.values()) {
        const rate = rates.findLast(({ timeMs }) => timeMs <= atMs);
        if (!rate) continue;
        const units = (amountFen / rate.fenPer100) * 100;
        const step = 10 ** Math.floor(Math.log10(units) + 1e-9) / 2;
        const round = Math.round(units / step) * step;
        if (round >= leastUnits && Math.abs(units - round) <= round * tolerance) return true;
      }
      return false;
    },
    snapshot: snapshotted(
      () => ({ byCurrency: [...byCurrency] }),
      (state) => {
        byCurrency.clear();
        for (const [currency, rates] of state.byCurrency) byCurrency.set(currency, rates);
      },
    ),
  };
}
