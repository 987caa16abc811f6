import { clock, minuteMs, type Plant } from './stage.js';

/**
 * Rigged bids: one account lends three to six bidders their deposits, which they pay to the tender office on one day; some are
 * worked from one machine.
 */
export const m29: Plant = {
  typology: 'M29',
  daysBefore: 5,
  plan({ random, day, shell, pay, institution, device }) {
    const boss = shell();
    const helper = shell();
    const office = random.chance(0.75) ? institution('tender') : shell();
    const bidders = Array.from({ length: random.between(3, 6) }, () => shell());
    const depositFen = random.between(3, 60) * 1_000_000;
    const machine = random.chance(0.4) ? device() : undefined;
    const hasOwnMoney = random.chance(0.15);
    bidders.forEach((bidder, i) => {
      const source = hasOwnMoney && i === 0 ? helper : boss;
      const lentFen = random.chance(0.5) ? depositFen : Math.round((depositFen * random.within(1.001, 1.018)) / 10_000) * 10_000;
      const depositMs = clock(day, random.within(9, 16));
      const lentMs = Math.max(clock(day - 3, 10), depositMs - random.within(1.5, 60) * 60 * minuteMs);
      pay({ from: source, to: bidder, amountFen: lentFen, timeMs: lentMs, remark: random.pick(['往来款', '借款', '']) });
      pay({
        from: bidder,
        to: office,
        amountFen: depositFen,
        timeMs: depositMs,
        remark: random.pick(['投标保证金', '投标保证金', '保证金']),
        ...(machine && { device: machine }),
      });
    });
  },
};
