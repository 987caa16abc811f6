import { formatDay } from '../../domain/bank-day.js';
import { clock, type Plant } from './stage.js';

/** Shells: five to seven firms in one room under one man, without staff, some of which move money and pay no tax. */
export const m22: Plant = {
  typology: 'M22',
  daysBefore: 25,
  plan({ random, day, shell, card, pay, profile, identity, personName }) {
    const legalRep = personName();
    const first = shell({ ageDays: random.between(30, 150) });
    const legalRepId = `rep-${identity(first).account.slice(-8)}`;
    const address = `示范路${random.between(100, 999)}号${random.between(101, 2_909)}室`;
    const isElsewhere = random.chance(0.4);
    const firms = [first, ...Array.from({ length: random.between(4, 6) }, () => shell({ ageDays: random.between(30, 160) }))];
    for (const firm of firms) {
      profile(firm, {
        legalRep,
        legalRepId,
        address,
        insuredStaff: random.chance(0.9) ? 0 : 1,
        registeredOn: formatDay(day - random.between(60, 170)),
        ...(isElsewhere && { legalRepRegion: '350500', region: '350502' }),
        ...(random.chance(0.5) && { legalRepBirthYear: random.pick([1950, 1955, 2006]) }),
      });
    }
    const exits = [card(), card()];
    const sources = [shell(), card()];
    firms.slice(0, random.between(2, 3)).forEach((firm) => {
      const times = random.between(3, 6);
      for (let i = 0; i < times; i++) {
        const amountFen = random.between(70, 300) * 100_000;
        const onDay = day - (times - 1 - i) * 4;
        const inHour = random.within(9, 13);
        pay({ from: random.pick(sources), to: firm, amountFen, timeMs: clock(onDay, inHour), remark: '货款' });
        const outFen = Math.floor((amountFen * random.within(0.9, 0.99)) / 10_000) * 10_000;
        pay({
          from: firm,
          to: random.pick(exits),
          amountFen: outFen,
          timeMs: clock(onDay, inHour + random.within(0.5, 5)),
          remark: '服务费',
        });
      }
    });
  },
};
