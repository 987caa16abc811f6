import { clock, minuteMs, type Plant } from './stage.js';

/**
 * Refund scam: a forged slip shows a payment that never came and its "sender" asks for it back; or stolen money does
 * come, from one account, and is to be returned to another.
 */
export const v11: Plant = {
  typology: 'V11',
  plan({ random, day, victim, card, shell, pay }) {
    const robbed = victim();
    const collector = random.chance(0.5) ? card() : shell({ ageDays: random.between(20, 300) });
    const amountFen = Math.max(8_000_000, Math.round((robbed.scaleFen * random.within(5, 9)) / 100_000) * 100_000);
    const timeMs = clock(day, random.within(10, 16.5));
    if (random.chance(0.35)) {
      pay({ from: card(), to: robbed.account, amountFen, timeMs: timeMs - random.between(30, 90) * minuteMs, remark: '货款' });
    }
    pay({ from: robbed.account, to: collector, amountFen, timeMs, remark: random.pick(['退款', '退回', '误转', '退货款']) });
  },
};
