import { clock, minuteMs, type Plant } from './stage.js';

/** Layers: what an enterprise was cheated of runs over three to five accounts, minutes on each. */
export const m14: Plant = {
  typology: 'M14',
  daysBefore: 1,
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = victim();
    const levels = Array.from({ length: random.between(3, 5) }, (_, i) => (i === 0 && random.chance(0.5) ? shell() : card()));
    let from = robbed.account;
    let timeMs = clock(day, random.within(9.5, 18));
    let amountFen = random.between(80, 900) * 100_000;
    levels.forEach((to, level) => {
      pay({ from, to, amountFen, timeMs, remark: level === 0 ? '货款' : random.pick(['', '转账', '往来款']) });
      from = to;
      // Once in a while a level dawdles to nearly half an hour or takes a large cut.
      timeMs += (random.chance(0.1) ? random.within(24, 29) : random.within(1, 16)) * minuteMs;
      const kept = random.chance(0.1) ? random.within(0.81, 0.88) : random.within(0.94, 0.998);
      amountFen = Math.floor((amountFen * kept) / 10_000) * 10_000;
    });
  },
};
