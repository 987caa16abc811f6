import { clock, type Plant, splitFen, sumFen } from './stage.js';

/** Opened days ago and already millions: a shell put to use at once. */
export const m08: Plant = {
  typology: 'M08',
  plan({ random, day, shell, card, pay }) {
    const mule = shell({ ageDays: random.between(3, 12) });
    const sources = [shell(), shell(), shell(), shell()];
    const amounts = splitFen(random, random.between(1_500, 3_000) * 100_000, sources.length);
    amounts.forEach((amountFen, i) => {
      pay({
        from: sources[i] ?? 0,
        to: mule,
        amountFen,
        timeMs: clock(day, random.within(9, 13)),
        remark: random.pick(['货款', '工程款']),
      });
    });
    const exits = [card(), shell(), card()];
    splitFen(random, sumFen(amounts) * random.within(0.93, 0.97), exits.length).forEach((amountFen, i) => {
      pay({ from: mule, to: exits[i] ?? 0, amountFen, timeMs: clock(day, random.within(13.5, 17)), remark: '往来款' });
    });
  },
};
