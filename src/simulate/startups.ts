import type { Payment } from './payment.js';
import type { Market } from './purse.js';

/** Part of its money that a company just opened spends at once, at most. */
const startupShare = 0.06;
const paymentsMax = 8;

/** A company just opened: more capital from a founder, then rent and first purchases. */
export function createStartups({ population, random, purse }: Market): () => Payment | undefined {
  let turns = 0;
  return () => {
    const count = population.startupsEnd - population.firms;
    const turn = turns++;
    const company = population.firms + (turn % count);
    const step = Math.floor(turn / count);
    if (step === 0) {
      const founder = population.institutionsEnd + ((turn * 101) % (population.castStart - population.institutionsEnd));
      const amountFen = purse.affordable(founder, random.between(100, 300) * 100_000, 0.9);
      return amountFen > 0 ? { payer: founder, payee: company, amountFen, remark: '投资款', channel: 'counter' } : undefined;
    }
    if (step > paymentsMax) return undefined;
    const payee = (company * 7 + step * 31) % population.firms;
    const amountFen = purse.affordable(company, random.between(8, 400) * 10_000, startupShare);
    return amountFen > 0
      ? { payer: company, payee, amountFen, remark: random.pick(['房租', '开办费', '办公设备款']), channel: 'ebank' }
      : undefined;
  };
}
