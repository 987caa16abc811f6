import { dayNumber, startOfDayMs } from '../domain/bank-day.js';
import type { Payment } from './payment.js';
import { isRetailer, isSubsidiary, subsidiaryAt, supplierOf } from './population.js';
import { firstOrderMaxFen, keptShare, type Market } from './purse.js';
import type { Random } from './random.js';

/** What follows from money taken in earlier the same day. */
export interface Takings {
  /** To be told of every payment of a simulated day that went through. */
  readonly settled: (payment: Payment) => void;
  /** Back to who paid it, to the fen. */
  readonly refund: () => Payment | undefined;
  /** In the afternoon each subsidiary passes the day's takings to its parent, a payee it has always had. */
  readonly sweepUp: (timeMs: number) => Payment | undefined;
}

const sweepStartMs = 16.5 * 3_600_000;

export function createTakings({ population, random, purse }: Market, hasTraded: (firm: number) => boolean): Takings {
  const refundable = createRecent(random);
  const sweep = { day: -1, turn: 0, takenFen: new Map<number, number>() };
  return { settled, refund, sweepUp };

  function settled(payment: Payment): void {
    if (payment.payee >= population.firms) return;
    if (isRetailer(payment.payee) && payment.amountFen <= firstOrderMaxFen) refundable.add(payment);
    if (isSubsidiary(payment.payee)) {
      sweep.takenFen.set(payment.payee, (sweep.takenFen.get(payment.payee) ?? 0) + payment.amountFen);
    }
  }

  function refund(): Payment | undefined {
    const paid = refundable.take();
    if (!paid || purse.affordable(paid.payee, paid.amountFen, keptShare) !== paid.amountFen) return undefined;
    const remark = random.pick(['退款', '退货款']);
    return { payer: paid.payee, payee: paid.payer, amountFen: paid.amountFen, remark, channel: 'ebank' };
  }

  function sweepUp(timeMs: number): Payment | undefined {
    const day = dayNumber(timeMs);
    if (day !== sweep.day) Object.assign(sweep, { day, turn: 0, takenFen: new Map() });
    const firm = subsidiaryAt(sweep.turn);
    if (firm >= population.firms || timeMs - startOfDayMs(day) < sweepStartMs || !random.chance(0.3)) return undefined;
    sweep.turn++;
    const takenFen = hasTraded(firm) ? (sweep.takenFen.get(firm) ?? 0) : 0;
    const amountFen = purse.affordable(firm, Math.floor(takenFen * (sweep.turn % 2 === 0 ? 0.7 : 0.9)), keptShare);
    return amountFen > 0
      ? { payer: firm, payee: supplierOf(population, firm), amountFen, remark: '资金归集', channel: 'auto' }
      : undefined;
  }
}

/** The latest payments that could be refunded, at most 64; each can be taken once. */
function createRecent(random: Random): { add(payment: Payment): void; take(): Payment | undefined } {
  const held: Payment[] = [];
  return {
    add(payment) {
      if (held.length < 64) held.push(payment);
      else held[random.below(64)] = payment;
    },
    take() {
      const at = random.below(held.length);
      const taken = held[at];
      const last = held.pop();
      if (last && at < held.length) held[at] = last;
      return taken;
    },
  };
}
