import { formatDay } from '../../domain/bank-day.js';
import { clock, type Plant } from './stage.js';

/** Account openers: one agent, one reserved phone or one operator stands behind four to eight young firms. */
export const m18: Plant = {
  typology: 'M18',
  daysBefore: 25,
  plan({ random, day, shell, card, pay, profile, identity, personName }) {
    const shared = random.pick(['agent', 'phone', 'operator'] as const);
    const opener = personName();
    const firms = Array.from({ length: random.between(4, 7) }, (_, i) => ({
      openedDay: day - 24 + i * random.between(1, 3),
      account: 0,
    }));
    const exit = card();
    const agent = `${opener}（代办）${identity(exit).account.slice(-6)}`;
    firms.forEach((firm, i) => {
      firm.account = shell({ ageDays: day - firm.openedDay });
      const registeredOn = formatDay(firm.openedDay - random.between(5, 60));
      if (shared === 'agent') profile(firm.account, { registeredOn, agent }, clock(firm.openedDay, 10));
      if (shared === 'phone')
        profile(firm.account, { registeredOn, phone: phoneOf(identity(exit).account) }, clock(firm.openedDay, 10));
      const operator = shared === 'operator' ? { operator: `${opener}${identity(exit).account.slice(-4)}` } : {};
      const timeMs = clock(day - (i === 0 ? 0 : random.between(0, 3)), random.within(9, 17));
      pay({ from: firm.account, to: exit, amountFen: random.between(8, 90) * 100_000, timeMs, remark: '货款', ...operator });
    });
  },
};

/** A number of a range that no operator has handed out. */
function phoneOf(account: string): string {
  return `100${account.slice(-8)}`;
}
