import { clock, minuteMs, type Plant } from './stage.js';

/** Tested, then used: a first payment of a few yuan between two accounts, hours later a large one the same way. */
export const m05: Plant = {
  typology: 'M05',
  plan({ random, day, shell, card, pay }) {
    const payer = random.chance(0.5) ? shell() : card();
    const payee = shell();
    const probeMs = clock(day, random.within(8, 11));
    pay({ from: payer, to: payee, amountFen: random.pick([1, 100, 100, 500, 1_000, 5_000]), timeMs: probeMs, remark: '测试' });
    const largeMs = probeMs + random.between(90, 360) * minuteMs;
    pay({ from: payer, to: payee, amountFen: random.between(80, 300) * 100_000, timeMs: largeMs, remark: '货款' });
    const isRepeated = random.chance(0.5);
    if (isRepeated)
      pay({
        from: payer,
        to: payee,
        amountFen: random.between(60, 200) * 100_000,
        timeMs: largeMs + 20 * minuteMs,
        remark: '货款',
      });
  },
};
