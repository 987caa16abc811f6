import { clock, minuteMs, type Plant, sumFen } from './stage.js';

/**
 * Boss impersonation: a clerk is told in a chat group to pay at once. Two or three large payments within an hour
 * to a stranger's card or a company opened weeks ago, or to one each; half of the time the first money is passed on.
 */
export const v01: Plant = {
  typology: 'V01',
  plan({ random, day, victim, card, shell, pay }) {
    const robbed = victim();
    const payee = random.chance(0.5) ? card() : shell({ ageDays: random.between(8, 60) });
    const second = random.chance(0.5) ? payee : card();
    const startMs = clock(day, random.within(9.2, 16.5));
    const amounts = Array.from({ length: random.between(2, 3) }, () => roundFen(robbed.scaleFen * random.within(14, 18)));
    amounts.forEach((amountFen, i) => {
      const timeMs = startMs + i * random.between(12, 28) * minuteMs;
      const remark = random.pick(['保证金', '往来款', '货款']);
      pay({ from: robbed.account, to: i === 1 ? second : payee, amountFen, timeMs, remark });
    });
    if (random.chance(0.5)) {
      const total = second === payee ? sumFen(amounts) : sumFen(amounts) - (amounts[1] ?? 0);
      pay({
        from: payee,
        to: card(),
        amountFen: total - random.between(100, 900) * 100,
        timeMs: startMs + 75 * minuteMs,
        remark: '往来款',
      });
    }
  },
};

function roundFen(amountFen: number): number {
  return Math.max(22_000_000, Math.round(amountFen / 1_000_000) * 1_000_000);
}
