import { clock, minuteMs, type Plant, splitFen, sumFen } from './stage.js';

/** Dormant account awakes: silent since its last payment more than half a year ago, now a dozen transfers in a day. */
export const m07: Plant = {
  typology: 'M07',
  plan({ random, day, shell, card, pay }) {
    const mule = shell({ ageDays: random.between(900, 2_500) });
    const lastSeen = day - random.between(200, 330);
    pay({
      from: shell({ ageDays: 2_600 }),
      to: mule,
      amountFen: random.between(800, 9_000),
      timeMs: clock(lastSeen, random.within(9, 17)),
      remark: '尾款',
    });
    const sources = [shell(), card(), card()];
    const exits = [card(), card(), shell()];
    const rounds = random.between(6, 7);
    const startMs = clock(day, random.within(9, 11));
    const amounts = splitFen(random, random.between(900, 1_500) * 100_000, rounds);
    amounts.forEach((amountFen, i) => {
      const timeMs = startMs + i * 45 * minuteMs;
      pay({ from: sources[i % 3] ?? 0, to: mule, amountFen, timeMs, remark: '货款' });
    });
    splitFen(random, sumFen(amounts) * 0.97, rounds).forEach((amountFen, i) => {
      const timeMs = startMs + (rounds * 45 + i * 6) * minuteMs;
      pay({ from: mule, to: exits[i % 3] ?? 0, amountFen, timeMs, remark: '往来款' });
    });
  },
};
