import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/**
 * After a false "account inspection" or by an insider, telephone, operator, token, limit or seal are changed; then money leaves
 * to strangers: the half of the balance at once, or half a million and more in parts over ten days.
 */
export const v13: Plant = {
  typology: 'V13',
  daysBefore: 15,
  plan({ random, day, victim, shell, card, record, pay }) {
    const robbed = victim();
    const isQuick = random.chance(0.5);
    const daysSince = isQuick ? random.between(1, 2) : random.between(6, 13);
    const kinds = random.chance(0.5)
      ? (['phone', 'limit'] as const)
      : ([random.pick(['seal', 'operator', 'token', 'legal-rep'] as const)] as const);
    kinds.forEach((what, i) => {
      record({ type: 'account-change', account: robbed.account, what }, clock(day - daysSince, 10 + i * 0.2));
    });
    const place = random.pick(distantCities);
    const strangers = [shell({ ageDays: random.between(20, 500), place }), card({ place: random.pick(distantCities) })];
    const parts = isQuick ? 1 : random.between(2, 4);
    const totalFen = isQuick ? robbed.scaleFen * random.within(6, 12) : random.between(600, 1_500) * 100_000;
    for (let i = 0; i < parts; i++) {
      const payDay = day - Math.floor(((parts - 1 - i) * (daysSince - 1)) / parts);
      pay({
        from: robbed.account,
        to: strangers[i % strangers.length] ?? 0,
        amountFen: Math.round(((totalFen / parts) * random.within(0.95, 1.1)) / 100_000) * 100_000,
        timeMs: clock(payDay, random.within(9, 16.5)),
        remark: random.pick(['货款', '往来款', '服务费']),
        ...(isQuick ? { drainTo: random.within(0.1, 0.45) } : {}),
      });
    }
  },
};
