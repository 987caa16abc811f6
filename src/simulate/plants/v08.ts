import { distantCities } from '../places.js';
import { clock, minuteMs, type Plant } from './stage.js';

/**
 * A trojan on the finance PC: at noon or in the evening somebody enters and approves payments within a minute of one another,
 * on the enterprise's own machine under remote control or with stolen tokens on a machine of his own, to people unknown.
 */
export const v08: Plant = {
  typology: 'V08',
  plan({ random, day, victim, shell, cards, device, habit, identity, record, pay }) {
    const robbed = victim();
    const usual = habit(robbed.account);
    const isRemote = random.chance(0.6);
    const hand = isRemote ? usual.device : device();
    const home = Number(identity(robbed.account).region.slice(0, 2));
    const away = random.pick(distantCities);
    const province = isRemote ? home : Number(away.region.slice(0, 2));
    const startMs = clock(day, random.pick([random.within(12, 13.5), random.within(19, 22.5), random.within(9.5, 16.5)]));
    const payees = [
      ...cards(random.between(2, 4)),
      ...(random.chance(0.5) ? [shell({ ageDays: random.between(10, 200), place: away })] : []),
    ];
    if (random.chance(0.4)) record({ type: 'account-change', account: robbed.account, what: 'limit' }, startMs - 4 * minuteMs);
    const login = { type: 'login', account: robbed.account, session: 'night', device: hand, province } as const;
    record({ ...login, step: 'login', isRemoteControlled: isRemote }, startMs - 2 * minuteMs);
    const checkerSeconds = random.chance(0.9) ? random.between(8, 50) : random.between(61, 120);
    let timeMs = startMs;
    payees.forEach((payee, i) => {
      record({ ...login, step: 'maker', operator: usual.operators[0], isRemoteControlled: isRemote }, timeMs);
      record(
        { ...login, step: 'checker', operator: usual.operators[1], isRemoteControlled: isRemote },
        timeMs + checkerSeconds * 1_000,
      );
      pay({
        from: robbed.account,
        to: payee,
        amountFen: Math.round((robbed.scaleFen * random.within(2, 6)) / 100_000) * 100_000,
        timeMs: timeMs + (checkerSeconds + 5) * 1_000,
        remark: random.pick(['货款', '往来款', '服务费']),
        device: hand,
        operator: usual.operators[1],
        ...(i === payees.length - 1 && random.chance(0.5) ? { drainTo: random.within(0.02, 0.2) } : {}),
      });
      timeMs += (checkerSeconds + random.between(20, 90)) * 1_000;
    });
  },
};
