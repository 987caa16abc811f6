import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/**
 * Blackmail: a stranger takes equal or round sums two to five times within a month, to have posts removed, a complaint
 * withdrawn or files decrypted; or the money goes to a crypto dealer on the police's list.
 */
export const v15: Plant = {
  typology: 'V15',
  daysBefore: 30,
  plan({ random, day, victim, card, shell, record, pay }) {
    const robbed = victim();
    const isOtc = random.chance(0.25);
    const place = random.pick(distantCities);
    const payee = isOtc && random.chance(0.5) ? shell({ place }) : card({ place });
    if (isOtc) record({ type: 'list', list: 'otc', action: 'add', entries: [payee] }, clock(day - random.between(15, 29), 8.2));
    const isSilent = random.chance(0.25);
    const payments = isOtc ? random.between(1, 2) : isSilent ? random.between(3, 5) : random.between(2, 4);
    const sumFen = random.between(2, 8) * (isSilent ? 2_000_000 : 500_000);
    const remark =
      isSilent || isOtc
        ? random.pick(['', '往来', '转账'])
        : random.pick(['和解费', '删帖费', '封口费', '赔偿', '数据恢复', '解密费']);
    const gapDays = random.within(2, 26 / Math.max(2, payments));
    for (let i = 0; i < payments; i++) {
      const isRaised = random.chance(0.3);
      pay({
        from: robbed.account,
        to: payee,
        amountFen: isRaised ? sumFen * 2 : sumFen,
        timeMs: clock(day - Math.round((payments - 1 - i) * gapDays), random.within(9, 17)),
        remark,
      });
    }
  },
};
