import { clock, minuteMs, type Plant, splitFen } from './stage.js';

/** Concentrate in, scatter out: one large sum lands and is split within the hour to cards of many provinces. */
export const m02: Plant = {
  typology: 'M02',
  plan({ random, day, shell, cards, pay }) {
    const mule = shell();
    const totalFen = random.between(400, 900) * 100_000;
    const startMs = clock(day, random.within(9, 17));
    pay({ from: shell(), to: mule, amountFen: totalFen, timeMs: startMs, remark: '货款' });
    const payees = cards(random.between(8, 12));
    splitFen(random, totalFen * random.within(0.96, 0.99), payees.length).forEach((amountFen, i) => {
      const timeMs = startMs + (5 + i * 4) * minuteMs;
      pay({ from: mule, to: payees[i] ?? 0, amountFen, timeMs, remark: random.pick(['劳务费', '往来款', '备用金']) });
    });
  },
};
