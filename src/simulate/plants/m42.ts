import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/** A firm that has only dealt with its own province sends half a million or more to a stranger far away. */
export const m42: Plant = {
  typology: 'M42',
  daysBefore: 75,
  plan({ random, day, shell, card, pay }) {
    const firm = shell({ ageDays: random.between(500, 900) });
    const partners = Array.from({ length: 12 }, () => shell());
    const usualFen = random.between(20, 90) * 100_000;
    const legs = random.between(48, 70);
    for (let i = 0; i < legs; i++) {
      const timeMs = clock(day - 74 + Math.floor((i * 73) / legs), random.within(9, 17));
      const amountFen = Math.round((usualFen * random.within(0.6, 1.5)) / 100) * 100;
      const partner = partners[i % partners.length]!;
      if (i % 3 === 0) pay({ from: partner, to: firm, amountFen: amountFen * 2, timeMs, remark: '货款' });
      else pay({ from: firm, to: partner, amountFen, timeMs, remark: random.pick(['货款', '材料款', '运费']) });
    }
    const place = random.pick(distantCities);
    const stranger = random.chance(0.6) ? shell({ place, ageDays: random.between(15, 800) }) : card({ place });
    const amountFen = Math.max(50_000_000, Math.round((usualFen * random.within(4, 10)) / 1_000_000) * 1_000_000);
    pay({
      from: firm,
      to: stranger,
      amountFen,
      timeMs: clock(day, random.within(9, 16)),
      remark: random.pick(['往来款', '投资款', '']),
    });
  },
};
