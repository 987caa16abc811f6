import { institutionFor, pairNormFen, type Population, scaleFen, suppliersPerFirmMax } from '../population.js';
import type { Random } from '../random.js';
import { dateOf } from './almanac.js';
import { at, firstOrderMaxFen, keptShare, newPayeeShare, type Page, tidyFen } from './intent.js';
import { supplierPair } from './standing.js';
import { employeeAt, staffOf, tradeOf } from './town.js';

/** What happens now and then: expenses of staff, first orders, loans, deposits for tenders, dividends, returned goods, escrow. */

const goods = ['货款', '材料款', '服务费', '加工费', '设备款', '办公用品款'] as const;

/** Chance of each on one working day of one firm. */
const chances: readonly (readonly [chance: number, plan: (page: Page, firm: number) => void])[] = [
  [0.09, reimbursement],
  [0.015, firstOrder],
  [0.0001, firstMachine],
  [0.03, settlement],
  [0.0015, tenderDeposit],
  [0.002, loan],
  [0.002, returnedGoods],
  [0.00015, securities],
];
const total = chances.reduce((sum, [chance]) => sum + chance, 0);

export function planOrdinary(page: Page): void {
  if (!page.isWorkingDay) return;
  const { population, random } = page;
  const { month } = dateOf(page.day);
  for (let firm = 0; firm < population.firms; firm++) {
    let left = random.unit();
    if (left < total) chances.find(([chance]) => (left -= chance) < 0)?.[1](page, firm);
    if ((month === 1 || month === 7) && random.chance(0.004)) dividend(page, firm);
    if (tradeOf(firm) === 'escrow' && random.chance(0.15)) escrow(page, firm);
  }
}

function reimbursement(page: Page, firm: number): void {
  const { population, random } = page;
  const payee = employeeAt(population, firm, random.below(staffOf(population, firm)));
  const remark = random.pick(['报销', '差旅费', '备用金']);
  page.add({
    timeMs: at(page),
    payer: firm,
    payee,
    wantFen: random.between(8_000, 480_000),
    remark,
    channel: 'ebank',
    share: newPayeeShare,
  });
}

/** A moderate one, below what the enterprise pays its regular suppliers. */
function firstOrder(page: Page, firm: number): void {
  const { population, random, victims } = page;
  if (victims.has(firm)) return;
  const wantFen = Math.min(firstOrderMaxFen, tidyFen(random, scaleFen(population, firm) * random.within(0.1, 0.4)));
  const payee = stranger(population, random, firm);
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: random.pick(goods), channel: 'ebank', share: newPayeeShare });
}

/** The harmless one that looks like the large first payment to a stranger. */
function firstMachine(page: Page, firm: number): void {
  const { population, random, victims } = page;
  if (victims.has(firm)) return;
  const wantFen = Math.round((scaleFen(population, firm) * random.within(4, 8)) / 100_000) * 100_000;
  const payee = stranger(population, random, firm);
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: '设备款', channel: 'ebank', share: 0.3, isWhole: true });
}

export function stranger({ firms, startupsEnd, idleEnd }: Population, random: Random, firm: number): number {
  if (random.chance(0.3)) return startupsEnd + random.below(idleEnd - startupsEnd);
  const other = random.below(firms);
  return other === firm ? (other + 1) % firms : other;
}

/** The account with a known supplier, settled in one sum. */
function settlement(page: Page, firm: number, factor = page.random.within(1.8, 3)): void {
  const { population, random, victims } = page;
  if (victims.has(firm)) return;
  const { pair, supplier } = supplierPair(population, firm, random.below(suppliersPerFirmMax));
  const wantFen = tidyFen(random, pairNormFen(population, pair) * factor);
  page.add({ timeMs: at(page), payer: firm, payee: supplier, wantFen, remark: '月结货款', channel: 'ebank', share: keptShare });
}

/** Paid to the account of the tender office and back after it, to the fen. */
function tenderDeposit(page: Page, firm: number): void {
  const { population, random, day } = page;
  const office = institutionFor(population, 'tender', random.below(population.firms));
  const wantFen = random.between(2, 40) * 1_000_000;
  const deposit = { paidFen: 0 };
  page.add({
    timeMs: at(page),
    payer: firm,
    payee: office,
    wantFen,
    remark: '投标保证金',
    channel: 'ebank',
    share: 0.4,
    isWhole: true,
    onPaid: (amountFen) => (deposit.paidFen = amountFen),
  });
  const back = page.workingDayFrom(day + random.between(7, 20));
  const timeMs = at({ ...page, day: back });
  page.later(back, {
    timeMs,
    payer: office,
    payee: firm,
    wantFen: () => deposit.paidFen,
    remark: '保证金退还',
    channel: 'batch',
    share: 1,
  });
}

/** A loan, and what it was taken for: suppliers in the days after. */
function loan(page: Page, firm: number): void {
  const { population, random, day } = page;
  const payer = institutionFor(population, 'lender', firm);
  const wantFen = Math.min(
    500_000_000,
    Math.round((scaleFen(population, firm) * random.within(15, 40)) / 10_000_000 + 1) * 10_000_000,
  );
  page.add({ timeMs: at(page), payer, payee: firm, wantFen, remark: '流动资金贷款发放', channel: 'batch', share: 1 });
  for (let i = 0; i < 4; i++) {
    const when = page.workingDayFrom(day + random.between(1, 9));
    const { supplier } = supplierPair(population, firm, random.below(suppliersPerFirmMax));
    const timeMs = at({ ...page, day: when });
    const amountFen = tidyFen(random, (wantFen / 5) * random.within(0.7, 1.2));
    page.later(when, {
      timeMs,
      payer: firm,
      payee: supplier,
      wantFen: amountFen,
      remark: '货款',
      channel: 'ebank',
      share: keptShare,
    });
  }
}

/** A supplier pays back what a customer returned: the same sum to who paid it. */
function returnedGoods(page: Page, firm: number): void {
  const { population, random, day, victims } = page;
  const { pair, supplier } = supplierPair(population, firm, random.below(3));
  if (victims.has(supplier)) return;
  const order = { paidFen: 0 };
  page.add({
    timeMs: at(page),
    payer: firm,
    payee: supplier,
    wantFen: tidyFen(random, pairNormFen(population, pair) * random.within(0.5, 1)),
    remark: '货款',
    channel: 'ebank',
    share: keptShare,
    onPaid: (amountFen) => (order.paidFen = amountFen),
  });
  const back = page.workingDayFrom(day + random.between(2, 9));
  const timeMs = at({ ...page, day: back });
  page.later(back, {
    timeMs,
    payer: supplier,
    payee: firm,
    wantFen: () => order.paidFen,
    remark: '退货款',
    channel: 'ebank',
    share: keptShare,
    isWhole: true,
  });
}

function securities(page: Page, firm: number): void {
  const { population, random } = page;
  const payee = institutionFor(population, 'securities', firm);
  const wantFen = Math.round((scaleFen(population, firm) * random.within(1, 4)) / 1_000_000) * 1_000_000;
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: '银证转账', channel: 'ebank', share: newPayeeShare });
}

/** To the owner, who has a salary from the firm as well. */
function dividend(page: Page, firm: number): void {
  const { population, random, victims } = page;
  if (victims.has(firm)) return;
  const wantFen = Math.round((scaleFen(population, firm) * random.within(2, 6)) / 1_000_000) * 1_000_000;
  const payee = employeeAt(population, firm, 0);
  page.add({ timeMs: at(page), payer: firm, payee, wantFen, remark: '分红', channel: 'ebank', share: 0.25 });
}

/** A client's money that a law firm holds for some days and passes on, less its fee. */
function escrow(page: Page, firm: number): void {
  const { population, random, day } = page;
  const client = stranger(population, random, firm);
  const other = stranger(population, random, firm);
  const held = { paidFen: 0 };
  page.add({
    timeMs: at(page),
    payer: client,
    payee: firm,
    wantFen: Math.min(80_000_000, scaleFen(population, Math.min(client, population.firms - 1)) * random.between(2, 6)),
    remark: '案款托管',
    channel: 'ebank',
    share: newPayeeShare,
    onPaid: (amountFen) => (held.paidFen = amountFen),
  });
  const out = page.workingDayFrom(day + random.between(1, 6));
  page.later(out, {
    timeMs: at({ ...page, day: out }),
    payer: firm,
    payee: other,
    remark: '案款',
    channel: 'ebank',
    share: 1,
    isDuty: true,
    wantFen: () => Math.floor(held.paidFen * 0.985),
  });
}
