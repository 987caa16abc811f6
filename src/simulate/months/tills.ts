import { dateOf } from './almanac.js';
import { at, type Page } from './intent.js';
import { isRemembered, salesPerDay, supplierPair } from './standing.js';
import { merchantOf, merchantsPerMarketplace, startupDay, tradeOf } from './town.js';
import { startOfDayMs } from '../../domain/bank-day.js';

/** Firms that many people pay: shops by day and by night, marketplaces that settle with their merchants, sweeps to the parent. */

export interface Tills {
  readonly plan: (page: Page) => void;
  /** In the thin history: only what makes merchants and parents known. */
  readonly planThin: (page: Page) => void;
  /** To be told of every payment that a marketplace or a subsidiary receives. */
  readonly took: (account: number, amountFen: number) => void;
}

export function createTills(): Tills {
  const takenFen = new Map<number, number>();
  const settledFen = new Map<number, number>();

  return {
    plan(page) {
      const { firms } = page.population;
      const date = dateOf(page.day);
      const busy = !page.isWorkingDay && date.weekday < 6 ? 1.6 : date.weekday >= 6 ? 1.25 : 1;
      for (let firm = 3; firm < firms; firm += 20) shop(page, firm, busy);
      for (let firm = 161; firm < firms; firm += 200) marketplace(page, firm);
      if (page.isWorkingDay) for (let firm = 11; firm < firms; firm += 50) if (tradeOf(firm) === 'subsidiary') sweep(page, firm);
    },
    planThin(page) {
      if (!page.isWorkingDay) return;
      for (let firm = 161; firm < page.population.firms; firm += 200) {
        for (let slot = 0; slot < merchantsPerMarketplace; slot++) {
          const isDay = dateOf(page.day).date === 1 + ((firm + slot * 5) % 28);
          if (isDay && isRemembered(page.population.seed, firm * 32 + slot, page.monthsBack(page.day)))
            settle(page, firm, slot, 2_000_000);
        }
      }
    },
    took(account, amountFen) {
      takenFen.set(account, (takenFen.get(account) ?? 0) + amountFen);
    },
  };

  function shop(page: Page, firm: number, busy: number): void {
    const { population, random } = page;
    const hours = tradeOf(firm) === 'night-shop' ? 'night' : 'shop';
    const sales = Math.round(salesPerDay(population, firm) * busy * random.within(0.8, 1.2));
    for (let sale = 0; sale < sales; sale++) sell(page, firm, at(page, hours));
  }

  function sell(page: Page, firm: number, timeMs: number): void {
    const { population, random } = page;
    const { institutionsEnd, castStart } = population;
    const payer = institutionsEnd + random.below(castStart - institutionsEnd);
    const share = random.unit();
    const yuan = 5 + share * share * 700;
    const wantFen = random.chance(0.6) ? Math.round(yuan) * 100 - random.pick([0, 10, 20, 50]) : Math.round(yuan * 100);
    const purchase = { paidFen: 0 };
    const isReturned = random.chance(0.006);
    const sale = { timeMs, payer, payee: firm, wantFen, remark: '消费', isWhole: true, share: keptByBuyer };
    page.add({
      ...sale,
      channel: random.chance(0.5) ? 'pos' : 'mobile',
      ...(isReturned && { onPaid: (amountFen: number) => (purchase.paidFen = amountFen) }),
    });
    if (!isReturned) return;
    const back = page.day + random.between(1, 6);
    const refund = { payer: firm, payee: payer, wantFen: () => purchase.paidFen, remark: random.pick(['退款', '退货款']) };
    page.later(back, { ...refund, timeMs: at({ ...page, day: back }, 'shop'), channel: 'ebank', share: 0.5, isWhole: true });
  }

  /** Credits round the clock; in the morning the merchants get what was taken the day before. */
  function marketplace(page: Page, firm: number): void {
    const { population, random } = page;
    settledFen.set(firm, takenFen.get(firm) ?? 0);
    takenFen.set(firm, 0);
    for (let slot = 0; slot < merchantsPerMarketplace; slot++) {
      settle(page, firm, slot, ((settledFen.get(firm) ?? 0) * 0.96) / merchantsPerMarketplace);
    }
    const sales = Math.round(salesPerDay(population, firm) * random.within(0.8, 1.2));
    for (let sale = 0; sale < sales; sale++) sell(page, firm, at(page, 'always'));
  }

  function settle(page: Page, firm: number, slot: number, aboutFen: number): void {
    const { population, random } = page;
    const payee = merchantOf(population, firm, slot);
    const wantFen = Math.floor(aboutFen * random.within(0.6, 1.3));
    if (wantFen < 1_000) return;
    const timeMs = startOfDayMs(page.day) + 9 * 3_600_000 + random.below(1_800) * 1_000;
    page.add({ timeMs, payer: firm, payee, wantFen, remark: '平台结算款', channel: 'batch', share: 0.8, isDuty: true });
  }

  /** In the afternoon a subsidiary passes nine tenths of the day's takings to its parent, its first supplier. */
  function sweep(page: Page, firm: number): void {
    const { population, random, day } = page;
    const timeMs = startOfDayMs(day) + 16.5 * 3_600_000 + random.below(3_000) * 1_000;
    const wantFen = (): number => {
      const today = takenFen.get(firm) ?? 0;
      takenFen.set(firm, 0);
      return Math.floor(today * 0.9);
    };
    const payee = supplierPair(population, firm, 0).supplier;
    page.add({ timeMs, payer: firm, payee, wantFen, remark: '资金归集', channel: 'auto', share: 0.5 });
  }
}

const keptByBuyer = 0.5;

/** New firms: money of the founder, then rent, equipment, first purchases, more from week to week. */
export function planStartups(page: Page, firstDay: number, days: number): void {
  const { population, random, day } = page;
  const { firms, startupsEnd, institutionsEnd, castStart } = population;
  if (!page.isWorkingDay) return;
  for (let firm = firms; firm < startupsEnd; firm++) {
    const age = day - startupDay(population, firm, firstDay, days);
    if (age < 1) continue;
    if (age <= 3) {
      const founder = institutionsEnd + ((firm * 101) % (castStart - institutionsEnd));
      const wantFen = random.between(50, 300) * 100_000;
      page.add({ timeMs: at(page), payer: founder, payee: firm, wantFen, remark: '投资款', channel: 'counter', share: 0.9 });
      continue;
    }
    if (!random.chance(0.4)) continue;
    const payee = (firm * 7 + random.below(6) * 31) % firms;
    const wantFen = random.between(8, 400) * 10_000;
    const remark = random.pick(['房租', '开办费', '办公设备款', '货款']);
    page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark, channel: 'ebank', share: 0.06 });
    if (random.chance(0.3)) {
      const income = random.between(20, 600) * 10_000;
      page.add({ timeMs: at(page), payer: payee, payee: firm, wantFen: income, remark: '货款', channel: 'ebank', share: 0.1 });
    }
  }
}
