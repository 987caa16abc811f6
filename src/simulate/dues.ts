import type { Payment } from './payment.js';
import { institutionFor, scaleFen } from './population.js';
import { firstOrderMaxFen, type Market, newPayeeShare } from './purse.js';

/** What enterprises pay to public and service accounts, and what the treasury pays them. */
export interface Dues {
  readonly dues: (kind: Due) => Payment | undefined;
  /** Public money comes in where an enterprise or a person has run low. */
  readonly subsidy: () => Payment;
}

const subsidyMaxFen = 19_000_000;
const remarks = { treasury: '税款', insurance: '社保费', utility: '水电费', fees: '结算手续费' } as const;
type Due = keyof typeof remarks;

export function createDues({ population, random, purse }: Market): Dues {
  return { dues, subsidy };

  function dues(kind: Due): Payment | undefined {
    const payer = random.below(population.firms);
    const scale = scaleFen(population, payer);
    const want =
      kind === 'fees' ? random.between(500, 20_000) : Math.round(Math.min(scale * random.within(0.05, 0.3), firstOrderMaxFen));
    const amountFen = purse.affordable(payer, want, newPayeeShare);
    const remark = remarks[kind];
    return amountFen > 0
      ? { payer, payee: institutionFor(population, kind, payer), amountFen, remark, channel: 'auto' }
      : undefined;
  }

  function subsidy(): Payment {
    const payee = random.below(population.firms);
    const amountFen = purse.tidyFen(Math.min(subsidyMaxFen, scaleFen(population, payee) * random.within(4, 12)));
    const remark = random.pick(['财政补贴', '政府采购款']);
    return { payer: institutionFor(population, 'treasury', payee), payee, amountFen, remark, channel: 'batch' };
  }
}
