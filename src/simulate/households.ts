import type { Channel, Payment } from './payment.js';
import { retailerAt, subsidiaryAt } from './population.js';
import { keptShare, type Market, newPayeeShare } from './purse.js';

/** Persons: what they buy and what their employers pay back to them. */
export interface Households {
  readonly shopping: () => Payment | undefined;
  /** A larger purchase; half of them are made at subsidiaries of groups. */
  readonly consumer: () => Payment | undefined;
  readonly reimbursement: () => Payment | undefined;
}

export function createHouseholds({ population, random, purse }: Market): Households {
  return { shopping, consumer, reimbursement };

  function shopping(): Payment | undefined {
    const retailers = Math.floor((population.firms + 16) / 20);
    const payee = retailerAt(random.below(retailers));
    const share = random.unit();
    const yuan = 5 + share * share * 900;
    const want = random.chance(0.6) ? Math.round(yuan) * 100 - random.pick([0, 10, 20, 50]) : Math.round(yuan * 100);
    return fromPerson(payee, want, '消费', random.chance(0.5) ? 'pos' : 'mobile');
  }

  function consumer(): Payment | undefined {
    const subsidiaries = Math.floor((population.firms + 38) / 50);
    const payee =
      subsidiaries > 0 && random.chance(0.5) ? subsidiaryAt(random.below(subsidiaries)) : random.below(population.firms);
    return fromPerson(payee, random.between(20, 300) * 10_000, random.pick(['订金', '装修款', '购车款', '学费']), 'mobile');
  }

  function fromPerson(payee: number, wantFen: number, remark: string, channel: Channel): Payment | undefined {
    for (let i = 0; i < 4; i++) {
      const payer = population.institutionsEnd + random.below(population.castStart - population.institutionsEnd);
      const amountFen = purse.affordable(payer, wantFen, keptShare);
      if (amountFen === wantFen) return { payer, payee, amountFen, remark, channel };
    }
    return undefined;
  }

  function reimbursement(): Payment | undefined {
    const payer = random.below(population.firms);
    const employees = population.employeesEnd - population.institutionsEnd;
    const payee = population.institutionsEnd + ((payer * 13 + random.below(6)) % employees);
    const amountFen = purse.affordable(payer, random.between(8_000, 480_000), newPayeeShare);
    return amountFen > 0
      ? { payer, payee, amountFen, remark: random.pick(['报销', '差旅费', '备用金']), channel: 'ebank' }
      : undefined;
  }
}
