import { clock, minuteMs, type Plant } from './stage.js';

const hourMs = 60 * minuteMs;

/** Bought invoices: firms pay a seller "for goods"; less its fee the money comes back to the cards of those who own them. */
export const m24: Plant = {
  typology: 'M24',
  daysBefore: 12,
  plan({ random, day, shell, card, pay, profile, identity }) {
    const seller = shell();
    const buyers = random.between(1, 3);
    const runner = card();
    for (let i = 0; i < buyers; i++) {
      const buyer = shell();
      const owner = card();
      profile(buyer, { legalRep: identity(owner).name, related: [owner, identity(owner).name] });
      // One in five takes its time, some days on each account; that is much money.
      const isSlow = random.chance(0.2);
      const amountFen = random.between(isSlow ? 500 : 200, 1_800) * 100_000;
      const hours = isSlow ? random.within(80, 125) : random.within(1, 60);
      const endMs = clock(day, random.within(10, 19)) - i * 40 * minuteMs;
      const startMs = endMs - hours * hourMs;
      pay({ from: buyer, to: seller, amountFen, timeMs: startMs, remark: random.pick(['货款', '材料款', '咨询费']) });
      const backFen = Math.floor((amountFen * random.within(0.87, 0.975)) / 10_000) * 10_000;
      const isDirect = !isSlow && random.chance(0.4);
      if (isDirect) {
        pay({ from: seller, to: owner, amountFen: backFen, timeMs: endMs, remark: '往来款' });
        continue;
      }
      const passedFen = Math.ceil((backFen * random.within(1.002, 1.015)) / 10_000) * 10_000;
      pay({
        from: seller,
        to: runner,
        amountFen: passedFen,
        timeMs: startMs + random.within(0.45, 0.55) * hours * hourMs,
        remark: '往来款',
      });
      pay({ from: runner, to: owner, amountFen: backFen, timeMs: endMs, remark: '' });
    }
  },
};
