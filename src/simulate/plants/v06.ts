import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/** A false contract or tender: a deposit goes to a person's card or to a firm opened lately, sometimes in two parts. */
export const v06: Plant = {
  typology: 'V06',
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = victim();
    const isCard = random.chance(0.5);
    const collector = isCard
      ? card({ place: random.pick(distantCities) })
      : shell({
          ageDays: random.chance(0.9) ? random.between(12, 165) : random.between(180, 400),
          place: random.pick(distantCities),
        });
    const remark = random.pick(['投标保证金', '合同保证金', '履约保证金', '履约金', '诚意金', '定金']);
    const timeMs = clock(day, random.within(9, 16));
    const amountFen = Math.max(3_000_000, Math.round((robbed.scaleFen * random.within(2, 9)) / 1_000_000) * 1_000_000);
    pay({ from: robbed.account, to: collector, amountFen, timeMs, remark });
    if (random.chance(0.3)) {
      const secondFen = Math.round((amountFen * random.within(0.4, 1)) / 1_000_000) * 1_000_000;
      pay({ from: robbed.account, to: collector, amountFen: secondFen, timeMs: timeMs + 2_400_000, remark });
    }
  },
};
