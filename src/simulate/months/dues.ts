import { institutionFor, pairNormFen, type Population, scaleFen, suppliersPerFirmMax } from '../population.js';
import { hash32 } from '../random.js';
import { type CalendarDate, seasonOf } from './almanac.js';
import { at, firstOrderMaxFen, keptShare, type Page, tidyFen } from './intent.js';
import {
  isMonthlyDue,
  isRemembered,
  isSupplierDue,
  monthlyExpenseFen,
  monthlyIncomeFen,
  salaryFen,
  supplierPair,
} from './standing.js';
import { agentOf, elsewhere, employeeAt, landlordOf, staffOf, tradeOf } from './town.js';

/** What comes round every month: suppliers, customers, salaries, taxes, insurance, rent, utilities, interest. */

/** Numbers of the relations of a firm besides its suppliers. */
const relation = {
  payroll: 8,
  tax: 9,
  insurance: 10,
  rent: 11,
  utility: 12,
  fees: 13,
  interest: 14,
  customer: 16,
  source: 20,
} as const;
const keyOf = (firm: number, code: number): number => firm * 32 + code;

const goods = ['货款', '货款', '货款', '采购款', '材料款', '服务费', '运费', '加工费', '设备维护费', '工程款'] as const;

export function planDues(page: Page): void {
  const { population } = page;
  for (const date of page.due) {
    for (let firm = 0; firm < population.firms; firm++) {
      suppliers(page, firm, date);
      elsewhereFlows(page, firm, date);
      payroll(page, firm, date);
      publicDues(page, firm, date);
      rent(page, firm, date);
    }
  }
}

/** The few firms of the long quiet stretch before: their suppliers only. */
export function planEarly(page: Page): void {
  const anchors = anchorsOf(page.population);
  for (const date of page.due) for (let firm = 0; firm < anchors; firm++) suppliers(page, firm, date);
}

const anchorsOf = ({ firms }: Population): number => Math.max(4, Math.floor(firms * 0.01));

function isKept({ population, isHistory, monthsBack }: Page, key: number, { day }: CalendarDate): boolean {
  return !isHistory || isRemembered(population.seed, key, monthsBack(day));
}

function suppliers(page: Page, firm: number, date: CalendarDate): void {
  const { population, random } = page;
  for (let slot = 0; slot < suppliersPerFirmMax; slot++) {
    const { pair, supplier } = supplierPair(population, firm, slot);
    if (!isSupplierDue(population, pair, slot, date, page.isHistory)) continue;
    if (firm >= anchorsOf(population) && !isKept(page, keyOf(firm, slot), date)) continue;
    const usualFen = pairNormFen(population, pair) * random.within(0.7, 1.35) * seasonOf(date.month);
    page.add({
      timeMs: at(page),
      payer: firm,
      payee: supplier,
      wantFen: tidyFen(random, page.isKnownPair(pair) ? usualFen : Math.min(usualFen * 0.4, firstOrderMaxFen)),
      remark: random.pick(goods),
      channel: random.chance(0.9) ? 'ebank' : random.chance(0.6) ? 'counter' : 'mobile',
      share: keptShare,
    });
  }
}

/** What a firm lacks its customers elsewhere pay; what it has over goes to suppliers elsewhere. */
function elsewhereFlows(page: Page, firm: number, date: CalendarDate): void {
  const { population, random } = page;
  const { seed } = population;
  for (let slot = 0; slot < 3; slot++) {
    const isCustomer =
      isMonthlyDue(seed, keyOf(firm, slot), 141, date) && isKept(page, keyOf(firm, relation.customer + slot), date);
    const isSource = isMonthlyDue(seed, keyOf(firm, slot), 142, date) && isKept(page, keyOf(firm, relation.source + slot), date);
    if (!isCustomer && !isSource) continue;
    const gapFen = monthlyExpenseFen(population, firm) - monthlyIncomeFen(population, firm);
    const timeMs = at(page);
    // A gap below three thousand yuan is nobody's order.
    const isPaid = (isCustomer && gapFen > 300_000) || (isSource && gapFen < -300_000);
    if (!isPaid) continue;
    const usualFen = (Math.abs(gapFen) / 3) * (gapFen > 0 ? 1.1 : 0.85) * random.within(0.8, 1.2);
    const isKnown = page.isKnownPair(population.pairs + firm * 3 + slot);
    const wantFen = tidyFen(random, isKnown ? usualFen : Math.min(usualFen * 0.4, firstOrderMaxFen));
    const remark = random.pick(goods);
    const party = elsewhere(population, firm, slot);
    const [payer, payee, share] = gapFen > 0 ? [party, firm, 0.9] : [firm, party, keptShare];
    page.add({ timeMs, payer, payee, wantFen, remark, channel: 'ebank', share });
  }
}

function payroll(page: Page, firm: number, date: CalendarDate): void {
  const { population, random } = page;
  if (!isMonthlyDue(population.seed, keyOf(firm, relation.payroll), 143, date, 5, 20)) return;
  if (!isKept(page, keyOf(firm, relation.payroll), date)) return;
  const staff = staffOf(population, firm);
  const startMs = at(page);
  const isBonusMonth = date.month === 1;
  const remark = isBonusMonth && random.chance(0.5) ? '工资及年终奖' : '工资';
  const paid = new Set<number>();
  for (let position = 0; position < staff; position++) {
    const payee = employeeAt(population, firm, position);
    if (paid.has(payee)) continue;
    paid.add(payee);
    const wantFen = Math.round(salaryFen(population, payee) * random.within(0.97, 1.05) * (isBonusMonth ? 1.6 : 1));
    const timeMs = startMs + Math.floor(position / 3) * 1_000;
    page.add({ timeMs, payer: firm, payee, wantFen, remark, channel: 'batch', share: 0.8, isWhole: true, isDuty: true });
  }
}

/** Taxes in the middle of the month, social insurance, utilities, bank fees, interest. */
function publicDues(page: Page, firm: number, date: CalendarDate): void {
  const { population, random } = page;
  const { seed } = population;
  const agent = agentOf(population, firm);
  const channel = agent ? 'ebank' : 'auto';
  const origin = agent ? { device: agent.device, operator: agent.operator } : {};
  const pay = (
    code: number,
    wantFen: number,
    remark: string,
    kind: Parameters<typeof institutionFor>[1],
    isOwn = false,
  ): void => {
    if (!isKept(page, keyOf(firm, code), date)) return;
    page.add({
      timeMs: at(page),
      payer: firm,
      payee: institutionFor(population, kind, firm),
      wantFen: Math.round(wantFen),
      remark,
      share: 0.5,
      isDuty: true,
      ...(isOwn ? { channel, ...origin } : { channel: 'auto' }),
    });
  };
  const baseFen = scaleFen(population, firm);
  if (isMonthlyDue(seed, keyOf(firm, relation.tax), 144, date, 8, 15)) {
    pay(relation.tax, Math.min(20_000_000, baseFen * random.within(0.1, 0.35)), '税款', 'treasury', true);
    if (date.month % 3 === 1)
      pay(relation.tax, Math.min(30_000_000, baseFen * random.within(0.1, 0.5)), '企业所得税', 'treasury', true);
  }
  if (isMonthlyDue(seed, keyOf(firm, relation.insurance), 145, date, 5, 20)) {
    pay(relation.insurance, staffOf(population, firm) * random.between(140_000, 170_000), '社保费', 'insurance', true);
  }
  if (isMonthlyDue(seed, keyOf(firm, relation.utility), 146, date)) {
    pay(relation.utility, random.between(20_000, 400_000), '水电费', 'utility');
  }
  if (isMonthlyDue(seed, keyOf(firm, relation.fees), 147, date))
    pay(relation.fees, random.between(500, 20_000), '结算手续费', 'fees');
  const isBorrower = hash32(seed, firm, 148) % 10 < 3;
  if (isBorrower && date.date === 21) pay(relation.interest, baseFen * random.within(0.05, 0.2), '贷款利息', 'lender');
}

/** Monthly or by the quarter, to another firm or to a person; the same sum every time. */
function rent(page: Page, firm: number, date: CalendarDate): void {
  const { population } = page;
  const { seed } = population;
  const hash = hash32(seed, firm, 149);
  if (hash % 10 >= 6 || tradeOf(firm) === 'escrow' || !isMonthlyDue(seed, keyOf(firm, relation.rent), 150, date)) return;
  const isQuarterly = hash % 2 === 0;
  if (isQuarterly && !page.isHistory && date.month % 3 !== hash % 3) return;
  if (!isKept(page, keyOf(firm, relation.rent), date)) return;
  const monthFen = Math.min(3_000_000, Math.max(150_000, Math.round((scaleFen(population, firm) * 0.15) / 10_000) * 10_000));
  const { account, isPerson } = landlordOf(population, firm);
  page.add({
    timeMs: at(page),
    payer: firm,
    payee: account,
    wantFen: monthFen * (isQuarterly ? 3 : 1),
    remark: isPerson ? '房屋租金' : '房租',
    channel: 'ebank',
    share: 0.4,
    isWhole: true,
    isDuty: true,
  });
}
