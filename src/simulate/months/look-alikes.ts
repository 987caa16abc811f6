import { startOfDayMs } from '../../domain/bank-day.js';
import { institutionFor, type Population, scaleFen } from '../population.js';
import { hash32 } from '../random.js';
import { dateOf } from './almanac.js';
import { at, keptShare, newPayeeShare, type Page, tidyFen } from './intent.js';
import { stranger } from './ordinary-days.js';
import { supplierPair } from './standing.js';
import { elsewhere, seasonStart, tradeOf } from './town.js';

/**
 * Honest business that looks like fraud, rarely and on purpose: whoever warns here is wrong. A large first payment to a
 * person, money that leaves as it came, equal fees of many people, a season after half a year of silence, tolls at night.
 */

/** Chance of each on one working day of one firm. */
const chances: readonly (readonly [chance: number, plan: (page: Page, firm: number) => void])[] = [
  [0.0003, newLandlord],
  [0.0004, craftsman],
  [0.0003, backToBack],
  [0.0001, feeOfAgent],
  [0.0002, earnestMoney],
  [0.00004, refundElsewhere],
];
const total = chances.reduce((sum, [chance]) => sum + chance, 0);

export function planLookAlikes(page: Page): void {
  const { population, random, victims } = page;
  for (let firm = 111; firm < population.firms; firm += 400) tolls(page, firm);
  for (let firm = 211; firm < population.firms; firm += 1_000) schoolFees(page, firm);
  if (!page.isWorkingDay) return;
  for (let firm = 0; firm < population.firms; firm++) {
    if (hash32(population.seed, firm, 181) % 80 === 0) canteen(page, firm);
    let left = random.unit();
    if (left >= total || victims.has(firm)) continue;
    chances.find(([chance]) => (left -= chance) < 0)?.[1](page, firm);
  }
}

/** Days for which a seasonal firm is silent before the thin history begins. */
export const seasonGapDays = 40;

/** In the early history: the end of the season before, so that the firm is known and asleep since. */
export function planLastSeason(page: Page, firstDay: number): void {
  const { population, day } = page;
  if (!page.isWorkingDay || day < firstDay - 300 || day > firstDay - 260) return;
  for (let firm = 77; firm < population.firms; firm += 500) {
    if (seasonStart(population, firm, firstDay, 1) === undefined || (day + firm) % 9 !== 0) continue;
    const payer = elsewhere(population, firm, 0);
    page.add({ timeMs: at(page), payer, payee: firm, wantFen: 3_000_000, remark: '货款', channel: 'ebank', share: 1 });
  }
}

function person({ institutionsEnd, castStart }: Population, hash: number): number {
  return institutionsEnd + (hash % (castStart - institutionsEnd));
}

/** A quarter's rent and the deposit, to a person whom the firm has never paid. */
function newLandlord(page: Page, firm: number): void {
  const { population, random } = page;
  const payee = person(population, random.below(1 << 30));
  const wantFen = random.between(30, 160) * 100_000;
  page.add({
    timeMs: at(page),
    payer: firm,
    payee,
    wantFen,
    remark: '租金及押金',
    channel: 'ebank',
    share: newPayeeShare,
    isWhole: true,
  });
}

/** Somebody who works on his own account is paid for a job. */
function craftsman(page: Page, firm: number): void {
  const { population, random } = page;
  const payee = person(population, random.below(1 << 30));
  const wantFen = tidyFen(random, random.between(15, 150) * 100_000);
  const remark = random.pick(['劳务费', '工程款', '装修款', '设计费']);
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark, channel: 'ebank', share: newPayeeShare, isWhole: true });
}

/** A trading firm is paid and within the half hour pays its own supplier for the same goods. */
function backToBack(page: Page, firm: number): void {
  const { population, random } = page;
  const order = { paidFen: 0 };
  const timeMs = at(page);
  page.add({
    timeMs,
    payer: elsewhere(population, firm, 0),
    payee: firm,
    wantFen: random.between(10, 60) * 1_000_000,
    remark: '货款',
    channel: 'ebank',
    share: 0.5,
    onPaid: (amountFen) => (order.paidFen = amountFen),
  });
  page.add({
    timeMs: timeMs + random.between(8, 28) * 60_000,
    payer: firm,
    payee: supplierPair(population, firm, 0).supplier,
    wantFen: () => Math.floor(order.paidFen * 0.96),
    remark: '货款',
    channel: 'ebank',
    share: 0.9,
    isWhole: true,
  });
}

/** A yearly fee with a word that impostors like. */
function feeOfAgent(page: Page, firm: number): void {
  const { population, random } = page;
  const remark = random.pick(['年检代办费', '汇算清缴服务费', '代缴税款']);
  const payee = stranger(population, random, firm);
  page.add({
    timeMs: at(page),
    payer: firm,
    payee,
    wantFen: random.between(6, 80) * 10_000,
    remark,
    channel: 'ebank',
    share: newPayeeShare,
  });
}

/** Earnest money for an order, to a firm that is asked for the first time. */
function earnestMoney(page: Page, firm: number): void {
  const { population, random } = page;
  const wantFen = Math.min(15_000_000, tidyFen(random, scaleFen(population, firm) * random.within(0.3, 1.5)));
  const remark = random.pick(['定金', '预付款', '履约保证金']);
  page.add({
    timeMs: at(page),
    payer: firm,
    payee: stranger(population, random, firm),
    wantFen,
    remark,
    channel: 'ebank',
    share: newPayeeShare,
    isWhole: true,
  });
}

/** The customer has a new account: his refund goes there. */
function refundElsewhere(page: Page, firm: number): void {
  const { population, random } = page;
  const wantFen = random.between(5, 300) * 10_000;
  const payee = stranger(population, random, firm);
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: '退款', channel: 'ebank', share: newPayeeShare });
}

/** The canteen's bill, nearly the same every day. */
function canteen(page: Page, firm: number): void {
  const { population, random } = page;
  const usualFen = 80_000 + (hash32(population.seed, firm, 182) % 220_000);
  const payee = supplierPair(population, firm, 1).supplier;
  const wantFen = Math.round(usualFen * random.within(0.98, 1.02));
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: '餐费', channel: 'ebank', share: keptShare });
}

/** Lorries pay their tolls while others sleep. */
function tolls(page: Page, firm: number): void {
  const { population, random, day } = page;
  if (tradeOf(firm) !== 'subsidiary') return;
  const payee = institutionFor(population, 'utility', firm);
  for (let i = random.between(8, 16); i > 0; i--) {
    const timeMs = startOfDayMs(day) + random.below(5 * 3_600) * 1_000;
    page.add({
      timeMs,
      payer: firm,
      payee,
      wantFen: random.between(2_000, 90_000),
      remark: '通行费',
      channel: 'auto',
      share: 0.5,
    });
  }
}

/** On the 1st and the 20th the courses begin: many people pay the same round fee. */
function schoolFees(page: Page, firm: number): void {
  const { population, random } = page;
  const { date } = dateOf(page.day);
  if (tradeOf(firm) !== 'school' || (date !== 1 && date !== 20)) return;
  const fee = random.pick([120_000, 200_000, 300_000]);
  for (let i = random.between(30, 70); i > 0; i--) {
    const payer = person(population, random.below(1 << 30));
    page.add({
      timeMs: at(page, 'shop'),
      payer,
      payee: firm,
      wantFen: fee,
      remark: '学费',
      channel: 'mobile',
      share: 0.9,
      isWhole: true,
    });
  }
}
