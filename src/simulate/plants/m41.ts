import { formatDay } from '../../domain/bank-day.js';
import { clock, minuteMs, type Plant } from './stage.js';

/** A dead company's account was sold and goes on paying: deregistered, revoked, listed as abnormal or with a licence run out. */
export const m41: Plant = {
  typology: 'M41',
  daysBefore: 45,
  plan({ random, day, shell, card, pay, profile }) {
    const dead = shell({ ageDays: random.between(600, 2_500) });
    const end = random.between(3, 40);
    const status = random.pick(['deregistered', 'revoked', 'abnormal', 'expired'] as const);
    profile(dead, status === 'expired' ? { licenceUntil: formatDay(day - end) } : { status }, clock(day - end, 9));
    const exits = [card(), card()];
    const rounds = random.between(2, 4);
    for (let i = 0; i < rounds; i++) {
      const amountFen = random.between(52, 400) * 100_000;
      const timeMs = clock(day - (rounds - 1 - i), random.within(9, 15));
      pay({ from: random.chance(0.5) ? shell() : card(), to: dead, amountFen: amountFen + 200_000, timeMs, remark: '货款' });
      pay({
        from: dead,
        to: random.pick(exits),
        amountFen,
        timeMs: timeMs + random.between(5, 200) * minuteMs,
        remark: '往来款',
      });
    }
  },
};
