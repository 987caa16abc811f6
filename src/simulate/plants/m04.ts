import { clock, type Plant, splitFen, sumFen } from './stage.js';

/** Transit account: on the four days before, large sums pass through and the evening's balance is next to nothing; today again. */
export const m04: Plant = {
  typology: 'M04',
  plan({ random, day, shell, card, pay }) {
    const mule = shell();
    const sources = [shell(), shell()];
    const exits = [card(), card(), shell()];
    for (let back = 4; back >= 0; back--) {
      const amounts = splitFen(random, random.between(700, 1_200) * 100_000, 2);
      amounts.forEach((amountFen, i) => {
        pay({ from: sources[i] ?? 0, to: mule, amountFen, timeMs: clock(day - back, random.within(9, 12)), remark: '货款' });
      });
      const parts = splitFen(random, sumFen(amounts) - 500_000, 3);
      const keptFen = random.between(2, 60) * 100;
      const lastFen = sumFen(amounts) - sumFen(parts.slice(0, 2)) - keptFen;
      [parts[0] ?? 0, parts[1] ?? 0, lastFen].forEach((amountFen, i) => {
        pay({ from: mule, to: exits[i] ?? 0, amountFen, timeMs: clock(day - back, random.within(13, 18)), remark: '往来款' });
      });
    }
  },
};
