import type { Channel, Payment } from './payment.js';
import { customerOf, pairNormFen, scaleFen, suppliersPerFirmMax, supplierOf } from './population.js';
import { firstOrderMaxFen, keptShare, type Market, newPayeeShare } from './purse.js';
import { itemAt } from './random.js';

/** Enterprises and their suppliers. */
export interface Trade {
  /** A payment to a regular supplier, of any pair or of the first `pairs` ones. */
  readonly regular: (pairs?: number) => Payment | undefined;
  /** The same for all pairs in turn, so that each is known before the first day. */
  readonly inTurn: () => Payment | undefined;
  /** The same for the enterprises that will be robbed in turn, so that their norms are known. */
  readonly victimInTurn: () => Payment | undefined;
  /** The month's account with a known supplier, settled in one sum. */
  readonly settlement: () => Payment | undefined;
  /** A first order: a moderate one, below what the enterprise pays its regular suppliers. */
  readonly newSupplier: () => Payment | undefined;
  /** A customer's payment that fills the account before salaries leave it. */
  readonly funding: (firm: number, wantFen: number) => Payment | undefined;
  /** Whether an enterprise has paid its first supplier before. */
  readonly hasTraded: (firm: number) => boolean;
}

const goods = ['货款', '货款', '货款', '采购款', '材料款', '服务费', '运费', '加工费', '设备维护费', '工程款'] as const;

export function createTrade(market: Market, victims: ReadonlySet<number>): Trade {
  const { population, random, purse } = market;
  const robbed = [...victims];
  const traded = new Uint8Array(population.pairs);
  const step = coprimeNear(Math.floor(population.pairs * 0.618), population.pairs);
  let pairTurn = 0;
  let victimTurn = 0;

  return {
    regular: (pairs = population.pairs) => regularPayment(random.below(pairs), 1),
    inTurn: () => regularPayment((pairTurn++ * step) % population.pairs, 1),
    victimInTurn() {
      const turn = victimTurn++;
      const firm = itemAt(robbed, turn);
      const pair = firm + population.firms * (Math.floor(turn / robbed.length) % suppliersPerFirmMax);
      return regularPayment(pair < population.pairs ? pair : firm, 1);
    },
    settlement,
    newSupplier,
    funding,
    hasTraded: (firm) => traded[firm] === 1,
  };

  /** Pays a regular supplier; the first order is a moderate one. Tries up to four payers for one who can afford it. */
  function regularPayment(firstPair: number, factor: number): Payment | undefined {
    let pair = firstPair;
    for (let i = 0; i < 4; i++) {
      const payer = pair % population.firms;
      const usual = pairNormFen(population, pair) * random.within(0.6, 1.6);
      const want = purse.tidyFen(traded[pair] === 1 ? usual * factor : Math.min(usual * 0.4, firstOrderMaxFen));
      const amountFen = purse.affordable(payer, want, keptShare);
      if (amountFen === want || (i === 3 && amountFen > 0)) {
        traded[pair] = 1;
        return { payer, payee: supplierOf(population, pair), amountFen, remark: random.pick(goods), channel: officeChannel() };
      }
      pair = (pair + population.firms) % population.pairs;
    }
    return undefined;
  }

  function settlement(): Payment | undefined {
    const pair = random.below(population.pairs);
    if (victims.has(pair % population.firms)) return undefined;
    const payment = regularPayment(pair, random.within(2.5, 3.5));
    return payment && !victims.has(payment.payer) ? { ...payment, remark: '月结货款' } : undefined;
  }

  function newSupplier(): Payment | undefined {
    const payer = random.below(population.firms);
    const strangers = population.idleEnd - population.startupsEnd;
    const payee = strangers > 0 ? population.startupsEnd + random.below(strangers) : random.below(population.firms);
    if (payee === payer || victims.has(payer)) return undefined;
    const want = Math.min(firstOrderMaxFen, purse.tidyFen(scaleFen(population, payer) * random.within(0.1, 0.4)));
    const amountFen = purse.affordable(payer, want, newPayeeShare);
    return amountFen > 0 ? { payer, payee, amountFen, remark: random.pick(goods), channel: officeChannel() } : undefined;
  }

  function funding(firm: number, wantFen: number): Payment | undefined {
    const payer = customerOf(population, firm);
    const isFree = traded[payer] === 1 && !victims.has(payer);
    const amountFen = !isFree ? 0 : purse.affordable(payer, wantFen, keptShare);
    return amountFen > 0
      ? { payer, payee: firm, amountFen: purse.tidyFen(amountFen), remark: '货款', channel: 'ebank' }
      : undefined;
  }

  function officeChannel(): Channel {
    return random.chance(0.85) ? 'ebank' : random.chance(0.7) ? 'counter' : 'mobile';
  }
}

/** The first number at or above `near` that shares no divisor with `modulus`. */
function coprimeNear(near: number, modulus: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  for (let step = Math.max(1, near); ; step++) if (divisor(step, modulus) === 1) return step;
}
