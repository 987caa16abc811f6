import { distantCities } from '../places.js';
import { clock, minuteMs, type Plant } from './stage.js';

/** A false tax office asks for arrears, a fine or an inspection fee, or for a payment that a refund is said to need. */
export const v09: Plant = {
  typology: 'V09',
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = victim();
    const place = random.pick(distantCities);
    const collector = random.chance(0.55)
      ? card(random.chance(0.7) ? { place } : {})
      : shell({ ageDays: random.between(10, 360), ...(random.chance(0.8) ? { place } : {}) });
    const remark = random.pick(['补缴税款', '滞纳金', '税务罚款', '稽查保证金', '企税办年检', '退税手续费', '汇算补税款']);
    const timeMs = clock(day, random.within(9, 16));
    const amountFen = Math.max(400_000, Math.round((robbed.scaleFen * random.within(0.2, 2)) / 10_000) * 10_000);
    pay({ from: robbed.account, to: collector, amountFen, timeMs, remark });
    if (random.chance(0.35)) {
      const againMs = timeMs + random.between(20, 90) * minuteMs;
      pay({ from: robbed.account, to: collector, amountFen: Math.round(amountFen * 0.6), timeMs: againMs, remark: '滞纳金' });
    }
  },
};
