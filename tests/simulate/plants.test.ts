import { describe, expect, it } from 'vitest';
import { dayNumber, startOfDayMs } from '../../src/domain/bank-day.js';
import { referenceSchema } from '../../src/domain/reference.js';
import { identityOf } from '../../src/simulate/identity.js';
import { townScenery } from '../../src/simulate/months/scenery.js';
import { createTown } from '../../src/simulate/months/town.js';
import { typologies } from '../../src/simulate/payment.js';
import { plants } from '../../src/simulate/plants/index.js';
import { type Plant, planPlot } from '../../src/simulate/plants/stage.js';
import { roleOf } from '../../src/simulate/population.js';
import { referenceLine } from '../../src/simulate/reference-line.js';

const firstDay = Math.floor(Date.UTC(2026, 6, 1) / 86_400_000);
const days = 60;
const scenery = townScenery(createTown({ seed: 11, accounts: 20_000, cast: 0 }), firstDay, days);
const play = (plant: Plant, sets = 6) => planPlot({ plants: [plant], sets, days }, scenery);

it('there is a scheme for every typology, named once', () => {
  expect(plants.map(({ typology }) => typology).toSorted()).toEqual([...typologies].toSorted());
});

describe.each(plants.map((plant) => [plant.typology, plant] as const))('scheme %s', (typology, plant) => {
  const plot = play(plant);
  const { payments, records, profiles, accountProfiles } = plot;

  it('is the same when it is planned again', () => {
    const again = play(plant);
    expect(JSON.stringify(again.payments)).toBe(JSON.stringify(payments));
    expect(JSON.stringify(again.records)).toBe(JSON.stringify(records));
  });

  it('has payments of whole fen between two accounts, in every playing, all of its typology', () => {
    expect(new Set(payments.map(({ scheme }) => scheme)).size).toBe(6);
    const wrong = payments.filter(
      (payment) =>
        !Number.isInteger(payment.amountFen) ||
        payment.amountFen < 1 ||
        payment.payer === payment.payee ||
        !Number.isInteger(payment.timeMs / 1_000) ||
        payment.typology !== typology,
    );
    expect(wrong).toEqual([]);
  });

  it('shows within the days, and its story goes back no further than the stream', () => {
    const last = new Map<number, number>();
    for (const { scheme, timeMs } of payments) last.set(scheme, Math.max(last.get(scheme) ?? 0, dayNumber(timeMs)));
    for (const day of last.values()) expect(day).toBeLessThan(firstDay + days);
    const times = [...payments, ...records].map(({ timeMs }) => dayNumber(timeMs));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(firstDay - 400);
    expect(Math.max(...times)).toBeLessThan(firstDay + days);
  });

  it('never pays from an account before it was opened', () => {
    const early = payments.filter(({ payer, payee, timeMs }) =>
      [payer, payee].some((account) => (profiles.get(account)?.openedDay ?? 0) > dayNumber(timeMs)),
    );
    expect(early).toEqual([]);
  });

  it('shares no account between two playings, public ones aside', () => {
    const owner = new Map<number, number>();
    const shared = payments.flatMap(({ payer, payee, scheme }) =>
      [payer, payee].filter((account) => {
        if (!profiles.has(account) && roleOf(scenery.population, account) === 'institution') return false;
        if (!owner.has(account)) owner.set(account, scheme);
        return owner.get(account) !== scheme;
      }),
    );
    expect(shared).toEqual([]);
  });

  it('sends reference records that the platform takes', () => {
    const known = new Map([...scenery.profiles, ...profiles]);
    const numberOf = (account: number): string => identityOf(scenery.population, known, firstDay, account).account;
    const opening = [...accountProfiles.values()].map((record) => ({ record, timeMs: startOfDayMs(firstDay) }));
    for (const { record, timeMs } of [...records, ...opening]) {
      const line = Buffer.from(referenceLine(record, 'R-1', timeMs, numberOf)).toString('utf8');
      const result = referenceSchema.safeParse(JSON.parse(line));
      expect(result.error?.issues, line).toBeUndefined();
    }
  });

  it('differs from playing to playing', () => {
    const bySums = new Map<number, number>();
    for (const { scheme, amountFen } of payments) bySums.set(scheme, (bySums.get(scheme) ?? 0) + amountFen);
    expect(new Set(bySums.values()).size).toBeGreaterThan(1);
  });
});
