import { distantCities } from '../places.js';
import { clock, minuteMs, type Plant } from './stage.js';

/**
 * A "prosecutor" on the telephone has the clerk move the firm's money to "safe accounts": one to four payments within the hour
 * until next to nothing is left, often in the evening or after the limit of online banking was raised.
 */
export const v10: Plant = {
  typology: 'V10',
  plan({ random, day, victim, shell, card, record, pay }) {
    const robbed = victim();
    const payments = random.between(1, 4);
    const isEvening = payments === 1 || random.chance(0.4);
    const startMs = clock(day, isEvening ? random.within(18.3, 21.5) : random.within(9, 16));
    if (random.chance(0.5)) {
      record({ type: 'account-change', account: robbed.account, what: 'limit' }, startMs - random.between(20, 420) * minuteMs);
    }
    const remark = random.chance(0.5)
      ? random.pick(['资金清查', '资金核查', '安全账户', '保全'])
      : random.pick(['往来款', '货款', '']);
    for (let i = 0; i < payments; i++) {
      const place = random.pick(distantCities);
      const isLast = i === payments - 1;
      pay({
        from: robbed.account,
        to: random.chance(0.7) ? card({ place }) : shell({ ageDays: random.between(8, 250), place }),
        amountFen: Math.max(12_000_000, Math.round((robbed.scaleFen * random.within(3, 7)) / 1_000_000) * 1_000_000),
        timeMs: startMs + i * random.between(9, 15) * minuteMs,
        remark,
        ...(isLast ? { drainTo: random.chance(0.9) ? random.within(0.01, 0.12) : random.within(0.15, 0.35) } : {}),
      });
    }
  },
};
