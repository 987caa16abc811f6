import { clock, minuteMs, type Plant, splitFen } from './stage.js';

/** Second and third tier: the victim reports, the first card is named, its money goes on to more cards, some before the report. */
export const m15: Plant = {
  typology: 'M15',
  daysBefore: 1,
  plan({ random, day, victim, shell, card, pay, record }) {
    const robbed = victim();
    const first = random.chance(0.4) ? shell() : card();
    const takenMs = clock(day, random.within(9, 12));
    const lossFen = random.between(120, 800) * 100_000;
    pay({ from: robbed.account, to: first, amountFen: lossFen, timeMs: takenMs, remark: '货款' });
    const reportedMs = takenMs + random.between(15, 75) * minuteMs;
    record({ type: 'case-account', account: first, level: 0 }, reportedMs);
    record({ type: 'list', list: 'case-accounts', action: 'add', entries: [first] }, reportedMs);

    const seconds = Array.from({ length: random.between(2, 3) }, () => card());
    const amounts = splitFen(random, lossFen * random.within(0.9, 0.98), seconds.length);
    seconds.forEach((second, i) => {
      const isEarly = i > 0 && random.chance(0.3);
      const timeMs = isEarly ? takenMs + random.between(4, 12) * minuteMs : reportedMs + random.between(5, 150) * minuteMs;
      const amountFen = amounts[i] ?? 0;
      pay({ from: first, to: second, amountFen, timeMs, remark: '' });
      if (i > 0 && !random.chance(0.6)) return;
      const onFen = Math.floor((amountFen * random.within(0.7, 0.99)) / 10_000) * 10_000;
      pay({ from: second, to: card(), amountFen: onFen, timeMs: timeMs + random.between(10, 200) * minuteMs, remark: '转账' });
    });
  },
};
