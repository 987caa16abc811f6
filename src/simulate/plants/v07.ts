import { distantCities } from '../places.js';
import { clock, minuteMs, type Plant, type Stage } from './stage.js';

/**
 * A false army, school or fire brigade orders from a small enterprise and has it buy one thing more from a supplier of its
 * choice, paid in advance; once that is paid, more is asked for the same day or the next morning.
 */
export const v07: Plant = {
  typology: 'V07',
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = smallVictim(victim);
    const place = random.pick(distantCities);
    const supplier = random.chance(0.6) ? shell({ ageDays: random.between(15, 600), place }) : card({ place });
    const isNextMorning = random.chance(0.25);
    const firstMs = isNextMorning ? clock(day - 1, random.within(14, 17)) : clock(day, random.within(9, 13.5));
    const firstFen = Math.round((robbed.scaleFen * random.within(2, 5)) / 1_000) * 1_000;
    const remark = random.pick(['货款', '货款', '代购货款', '采购款', '预付货款']);
    pay({ from: robbed.account, to: supplier, amountFen: firstFen, timeMs: firstMs, remark });
    const more = random.between(1, 2);
    for (let i = 1; i <= more; i++) {
      const timeMs = isNextMorning ? clock(day, 8.6 + i * 0.7) : firstMs + i * random.between(35, 100) * minuteMs;
      const amountFen = Math.round((firstFen * random.within(0.3, 1.1)) / 1_000) * 1_000;
      pay({ from: robbed.account, to: supplier, amountFen, timeMs, remark });
    }
  },
};

/** The smallest of a few: these orders go to shops, not to factories. */
function smallVictim(victim: Stage['victim']): ReturnType<Stage['victim']> {
  let small = victim();
  for (let i = 0; i < 3 && small.scaleFen > 2_800_000; i++) {
    const other = victim();
    if (other.scaleFen < small.scaleFen) small = other;
  }
  return small;
}
