import { fenPer100 } from '../exchange.js';
import { clock, minuteMs, type Plant } from './stage.js';

/** Money leaves as virtual currency: to a known dealer, with a telling remark, or to a dozen dealers at one unit price. */
export const m36: Plant = {
  typology: 'M36',
  daysBefore: 10,
  plan({ random, day, shell, card, cards, victim, pay, record }) {
    const mule = shell({ ageDays: random.between(20, 400) });
    const startMs = clock(day, random.within(9, 12));
    const story = random.pick(['listed', 'remark', 'price'] as const);
    const takenFen = random.between(30, 90) * 1_000_000;
    pay({
      from: random.chance(0.4) ? victim().account : shell(),
      to: mule,
      amountFen: takenFen,
      timeMs: startMs,
      remark: '货款',
    });
    if (story !== 'price') {
      const dealer = card();
      if (story === 'listed') record({ type: 'list', list: 'otc', action: 'add', entries: [dealer] }, clock(day - 9, 9));
      const remark = story === 'listed' ? '' : random.pick(['购USDT', 'USDT', '泰达币', '买币', '出U']);
      const parts = random.between(1, 3);
      for (let i = 0; i < parts; i++) {
        const amountFen = Math.floor((takenFen * random.within(0.85, 0.98)) / parts / 10_000) * 10_000;
        pay({ from: mule, to: dealer, amountFen, timeMs: startMs + random.between(10, 100) * minuteMs, remark });
      }
      return;
    }
    const dollarFen = fenPer100('USD', day) / 100;
    const dealers = cards(random.between(11, 18));
    let leftFen = takenFen;
    for (const [i, dealer] of dealers.entries()) {
      const thousands = Math.round((leftFen / (dealers.length - i) / dollarFen / 1_000) * random.within(0.8, 1.2));
      const amountFen = Math.round(Math.max(1, thousands) * 1_000 * dollarFen * random.within(0.9992, 1.0008));
      if (amountFen > leftFen) break;
      pay({ from: mule, to: dealer, amountFen, timeMs: startMs + (10 + i * random.between(12, 20)) * minuteMs, remark: '' });
      leftFen -= amountFen;
    }
  },
};
