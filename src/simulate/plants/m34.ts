import { clock, splitFen, type Plant } from './stage.js';

/** A large value: two million yuan or more from one company to another on one day, in one sum or a few. */
export const m34: Plant = {
  typology: 'M34',
  plan({ random, day, shell, pay }) {
    const payer = shell();
    const payee = shell();
    const parts = random.between(1, 4);
    for (const amountFen of splitFen(random, random.between(215, 600) * 1_000_000, parts))
      pay({ from: payer, to: payee, amountFen, timeMs: clock(day, random.within(9, 16)), remark: '货款' });
  },
};
