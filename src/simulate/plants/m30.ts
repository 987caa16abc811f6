import { clock, type Plant } from './stage.js';

/** One person opens account upon account: three to five within weeks, or five to eight over most of a year. */
export const m30: Plant = {
  typology: 'M30',
  daysBefore: 40,
  plan({ random, day, shell, card, pay, profile, record, identity, personName }) {
    const isQuick = random.chance(0.5);
    const legalRep = personName();
    const firms = Array.from({ length: isQuick ? random.between(3, 5) : random.between(5, 8) }, () =>
      shell({ ageDays: random.between(25, 300) }),
    );
    const person = `rep-${identity(firms[0]!).account.slice(-8)}`;
    const isAgent = random.chance(0.4);
    const exit = card();
    firms.forEach((firm, i) => {
      const openedMs = clock(day - (isQuick ? 1 + i * 4 : 2 + i * 5), random.within(9, 16));
      const who = isAgent ? { agent: person } : { legalRep, legalRepId: person };
      profile(firm, who, openedMs);
      if (isQuick)
        record(
          { type: 'account-change', account: firm, what: 'opened', ...(isAgent ? { agent: person } : { legalRepId: person }) },
          openedMs,
        );
      pay({ from: card(), to: firm, amountFen: random.between(5, 60) * 100_000, timeMs: openedMs + 3_600_000, remark: '货款' });
      pay({ from: firm, to: exit, amountFen: random.between(1, 4) * 100_000, timeMs: openedMs + 7_200_000, remark: '往来款' });
    });
  },
};
