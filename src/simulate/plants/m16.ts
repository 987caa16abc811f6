import { clock, minuteMs, type Plant, sumFen } from './stage.js';

/** Money-mule "score running": round small sums of strangers from many provinces around the clock, swept out to two accounts. */
export const m16: Plant = {
  typology: 'M16',
  plan({ random, day, shell, card, cards, pay }) {
    const mule = shell({ ageDays: random.between(40, 400) });
    const gamblers = cards(random.between(26, 34));
    const exits = [card(), card()];
    const startMs = clock(day - 1, 19.5);
    const rounds = 4;
    const minutesPerRound = 320;
    for (let round = 0; round < rounds; round++) {
      const amounts = Array.from({ length: 14 }, () => random.between(2, 48) * 10_000);
      amounts.forEach((amountFen, i) => {
        // Evenly over the round, so that hardly an hour of the night goes by without one.
        const timeMs = startMs + (round * minutesPerRound + i * 22 + random.below(14)) * minuteMs;
        const payer = gamblers[(round * 14 + i) % gamblers.length] ?? 0;
        pay({ from: payer, to: mule, amountFen, timeMs, remark: random.pick(['转账', '充值', '']), channel: 'mobile' });
      });
      const timeMs = startMs + ((round + 1) * minutesPerRound - 6) * minuteMs;
      pay({
        from: mule,
        to: exits[round % 2] ?? 0,
        amountFen: sumFen(amounts) - random.between(0, 3) * 1_000,
        timeMs,
        remark: '转账',
        channel: 'mobile',
      });
    }
  },
};
