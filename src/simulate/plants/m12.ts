import { clock, type Plant } from './stage.js';

/** Split below the report: four or five company transfers in one day, each just under two million yuan. */
export const m12: Plant = {
  typology: 'M12',
  plan({ random, day, shell, pay }) {
    const splitter = shell();
    const amounts = Array.from({ length: random.between(4, 5) }, () => random.between(1_600, 1_960) * 100_000);
    const total = amounts.reduce((sum, amount) => sum + amount, 0);
    pay({
      from: shell(),
      to: splitter,
      amountFen: total + random.between(20, 90) * 100_000,
      timeMs: clock(day, random.within(8.5, 9.3)),
      remark: '货款',
    });
    amounts.forEach((amountFen, i) => {
      pay({ from: splitter, to: shell(), amountFen, timeMs: clock(day, 9.6 + i * 1.4 + random.within(0, 0.8)), remark: '货款' });
    });
  },
};
