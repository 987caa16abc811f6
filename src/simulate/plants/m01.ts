import { clock, minuteMs, type Plant, splitFen, sumFen } from './stage.js';

/** Scatter in, concentrate out: strangers of many provinces pay in over two days, nearly all leaves to one or two accounts. */
export const m01: Plant = {
  typology: 'M01',
  plan({ random, day, shell, card, cards, pay }) {
    const mule = shell();
    const payers = cards(random.between(8, 11));
    const amounts = splitFen(random, random.between(300, 700) * 100_000, payers.length);
    const lastMs = clock(day, random.within(14, 16));
    payers.forEach((payer, i) => {
      const isEve = i < 3;
      const timeMs = isEve ? clock(day - 1, random.within(9, 20)) : clock(day, random.within(9, 13));
      pay({
        from: payer,
        to: mule,
        amountFen: amounts[i] ?? 0,
        timeMs,
        remark: random.pick(['货款', '往来款', '转账']),
        channel: 'mobile',
      });
    });
    const out = sumFen(amounts) * random.within(0.95, 0.98);
    const parts = splitFen(random, out, random.between(1, 2));
    parts.forEach((amountFen, i) => {
      pay({ from: mule, to: i === 0 ? card() : shell(), amountFen, timeMs: lastMs + i * 9 * minuteMs, remark: '货款' });
    });
  },
};
