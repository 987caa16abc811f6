/** Prices of foreign currencies, by day as they were sent. */
export interface ExchangeRates {
  take(currency: string, fenPer100: number, timeMs: number): void;
  /** Whether the amount is a round foreign sum at the latest rate known at `atMs`, within the tolerance (a share of it). */
  isRound(amountFen: number, atMs: number, tolerance: number): boolean;
}

/** Round are whole hundreds, from a thousand on: below that every amount is near one. */
const roundUnits = 100;
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
        const round = Math.round(units / roundUnits) * roundUnits;
        if (round >= leastUnits && Math.abs(units - round) <= round * tolerance) return true;
      }
      return false;
    },
  };
}
