import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { accountChanges, type Login, type Profile } from '../../src/domain/reference.js';
import { createAccountRecords, type AccountChange } from '../../src/scoring/account-records.js';

const dayMs = 86_400_000;
const startMs = Date.parse('2026-01-01T00:00:00+08:00');
const bit = (what: AccountChange): number => 1 << accountChanges.indexOf(what);

let ids = 0;
function login(timeMs: number, rest: Partial<Login> = {}): Login {
  return { id: `l-${ids++}`, type: 'login', account: '4100001', time: formatShanghai(timeMs), step: 'login', ...rest };
}
function profile(timeMs: number, rest: Partial<Profile> = {}): Profile {
  return { id: `p-${ids++}`, type: 'profile', account: '4100001', time: formatShanghai(timeMs), ...rest };
}

/** Everything is kept as it came and looked through anew for each question. */
type Kept =
  | { sort: 'change'; timeMs: number; id: string; what: AccountChange }
  | { sort: 'login'; timeMs: number; id: string; login: Login }
  | { sort: 'stop'; timeMs: number; id: string; action: 'stop' | 'freeze' | 'release' }
  | { sort: 'kin'; timeMs: number; id: string }
  | { sort: 'profile'; timeMs: number; id: string; profile: Profile };

function createSlowRecords() {
  let all: Kept[] = [];
  const ranks: Readonly<Record<string, number>> = { login: 0, maker: 1, checker: 2, stop: 0, freeze: 1, release: 2 };
  const rank = (kept: Kept): number =>
    kept.sort === 'login' ? ranks[kept.login.step]! : kept.sort === 'stop' ? ranks[kept.action]! : 0;
  const of = <S extends Kept['sort']>(sort: S, upToMs: number): Extract<Kept, { sort: S }>[] =>
    (all as Extract<Kept, { sort: S }>[])
      .filter((kept) => kept.sort === sort && kept.timeMs <= upToMs)
      .toSorted((a, b) => b.timeMs - a.timeMs || rank(b) - rank(a));

  function loginAt(atMs: number) {
    const [own, ...earlier] = of('login', atMs);
    if (!own) return undefined;
    const isOfSession = (kept: { login: Login }) => own.login.session !== undefined && kept.login.session === own.login.session;
    const session = [own, ...earlier.filter(isOfSession)];
    const others = earlier.filter((kept) => !isOfSession(kept));
    const before = others.find(({ login: { operator, device } }) => {
      if (own.login.operator !== undefined) return operator === own.login.operator;
      const { id, mac } = own.login.device ?? {};
      if (id !== undefined || mac !== undefined) return isSame(id, device?.id) || isSame(mac, device?.mac);
      return operator === undefined && device?.id === undefined && device?.mac === undefined;
    });
    const placed = others.filter((kept) => kept.login.province !== undefined);
    const { province } = own.login;
    const checked = session.find((kept) => kept.login.step === 'checker');
    const made = earlier.find(
      ({ timeMs, login }) =>
        login.step === 'maker' &&
        checked &&
        timeMs <= checked.timeMs &&
        (isSame(login.device?.mac, checked.login.device?.mac) || isSame(login.device?.ip, checked.login.device?.ip)),
    );
    return {
      ageSeconds: (atMs - own.timeMs) / 1000,
      province: province ?? NaN,
      isAbroad: province === 0,
      isRemoteControlled: own.login.isRemoteControlled ?? false,
      newProvince:
        province !== undefined &&
        placed.length > 0 &&
        !placed.some((kept) => kept.login.province === province && own.timeMs - kept.timeMs <= 90 * dayMs),
      speedKmh: before ? speed(before.login, own.login) : NaN,
      ips: new Set(session.flatMap((kept) => kept.login.device?.ip ?? [])).size,
      sameHandSeconds: checked && made ? (checked.timeMs - made.timeMs) / 1000 : NaN,
    };
  }

  return {
    take(kept: Kept): void {
      if (all.some((other) => other.sort === kept.sort && other.id === kept.id)) return;
      all.push(kept);
      const newest = Math.max(...all.map(({ timeMs }) => timeMs));
      all = all.filter(({ timeMs }) => timeMs >= newest - 400 * dayMs);
    },
    changes: (kinds: number, afterMs: number, upToMs: number) =>
      of('change', upToMs).filter(({ what, timeMs }) => kinds & bit(what) && timeMs > afterMs).length,
    sinceChangeMs: (kinds: number, atMs: number) =>
      atMs - (of('change', atMs).find(({ what }) => kinds & bit(what))?.timeMs ?? NaN),
    isStopped(sinceMs: number, atMs: number) {
      const stops = of('stop', atMs);
      return stops.some(
        ({ action, timeMs }, i) =>
          action !== 'release' && timeMs > sinceMs && !stops.slice(0, i).some((later) => later.action === 'release'),
      );
    },
    isKinStopped: (sinceMs: number, atMs: number) => of('kin', atMs).some(({ timeMs }) => timeMs > sinceMs),
    login: loginAt,
  };
}
const isSame = (a: string | undefined, b: string | undefined): boolean => a !== undefined && a === b;

/** By the spherical law of cosines over vectors, not by haversine. */
function speed(from: Login, to: Login): number {
  const vector = ({ latitude, longitude }: Login): number[] => {
    const [phi, lambda] = [(latitude ?? NaN) * (Math.PI / 180), (longitude ?? NaN) * (Math.PI / 180)];
    return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
  };
  const [a, b] = [vector(from), vector(to)];
  const cosine = a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const km = 6371.0088 * Math.acos(Math.max(-1, Math.min(1, cosine)));
  const seconds = Math.max(1, (Date.parse(to.time) - Date.parse(from.time)) / 1000);
  return km / (seconds / 3600);
}

/** Times crowd on a few days and hours, over more than 400 days. Milliseconds tell logins apart. */
const time = fc
  .tuple(fc.constantFrom(0, 1, 50, 91, 140, 395, 400, 401, 500), fc.integer({ min: 0, max: 3 }))
  .map(([day, hour]) => startMs + day * dayMs + hour * 3_600_000);
const id = fc.nat({ max: 30 }).map((i) => `id-${i}`);
const place = fc.constantFrom(
  { latitude: 34.75, longitude: 113.62 },
  { latitude: 39.9, longitude: 116.4 },
  { latitude: -33.9, longitude: 151.2 },
  {},
);
const loginOf = fc
  .record({
    session: fc.constantFrom(undefined, 's-1', 's-2'),
    step: fc.constantFrom('login' as const, 'maker' as const, 'checker' as const),
    ip: fc.constantFrom(undefined, '10.0.0.1', '10.0.0.2', '10.0.0.3'),
    mac: fc.constantFrom(undefined, 'aa', 'bb'),
    machine: fc.constantFrom(undefined, 'pc-1', 'pc-2'),
    operator: fc.constantFrom(undefined, 'op-1', 'op-2'),
    province: fc.constantFrom(undefined, 0, 41, 53),
    place,
    isRemoteControlled: fc.boolean(),
  })
  .map(({ session, ip, mac, machine, operator, province, place, ...rest }): Partial<Login> => {
    const device = {
      ...(ip === undefined ? {} : { ip }),
      ...(mac === undefined ? {} : { mac }),
      ...(machine === undefined ? {} : { id: machine }),
    };
    return {
      ...rest,
      ...place,
      device,
      ...(session === undefined ? {} : { session }),
      ...(operator === undefined ? {} : { operator }),
      ...(province === undefined ? {} : { province }),
    };
  });
const stop = fc.constantFrom('stop' as const, 'freeze' as const, 'release' as const);
const record: fc.Arbitrary<Kept> = fc.oneof(
  fc.record({ sort: fc.constant('change' as const), timeMs: time, id, what: fc.constantFrom(...accountChanges) }),
  fc.record({ timeMs: time, milliseconds: fc.nat({ max: 9999 }), rest: loginOf }).map(({ timeMs, milliseconds, rest }) => ({
    sort: 'login' as const,
    timeMs: timeMs + milliseconds,
    id: `login-${timeMs + milliseconds}`,
    login: { ...login(timeMs + milliseconds, rest), id: `login-${timeMs + milliseconds}` },
  })),
  fc
    .record({ timeMs: time, action: stop })
    .map(({ timeMs, action }) => ({ sort: 'stop' as const, timeMs, id: `${action}-${timeMs}`, action })),
  time.map((timeMs) => ({ sort: 'kin' as const, timeMs, id: `${timeMs}` })),
  time.map((timeMs) => ({ sort: 'profile' as const, timeMs, id: `${timeMs}`, profile: profile(timeMs) })),
);

function take(records: ReturnType<typeof createAccountRecords>, account: number, kept: Kept): void {
  if (kept.sort === 'change') records.takeChange(account, kept.what, kept.timeMs, kept.id);
  else if (kept.sort === 'login') records.takeLogin(account, kept.login);
  else if (kept.sort === 'stop') records.takeStop(account, kept.action, kept.timeMs);
  else if (kept.sort === 'profile') records.takeProfile(account, kept.profile);
  else records.takeKinStop(account, kept.timeMs);
}

describe('records of accounts', () => {
  it('answer as a search through all of them does, late, repeated and out of order', () => {
    const taken = fc.array(fc.tuple(fc.constantFrom(7, 900_000), record), { maxLength: 40 });
    fc.assert(
      fc.property(taken, fc.array(time, { minLength: 3, maxLength: 8 }), fc.nat({ max: 1023 }), (all, times, kinds) => {
        const records = createAccountRecords();
        const slow = new Map([7, 900_000].map((account) => [account, createSlowRecords()]));
        for (const [account, kept] of [...all, ...all.slice(0, 5)]) {
          take(records, account, kept);
          slow.get(account)!.take(kept);
        }
        for (const [account, expected] of slow)
          for (const atMs of times) {
            for (const afterMs of times) {
              expect(records.changes(account, kinds, afterMs, atMs)).toBe(expected.changes(kinds, afterMs, atMs));
              expect(records.isStopped(account, afterMs, atMs)).toBe(expected.isStopped(afterMs, atMs));
              expect(records.isKinStopped(account, afterMs, atMs)).toBe(expected.isKinStopped(afterMs, atMs));
            }
            expect(records.sinceChangeMs(account, kinds, atMs)).toBe(expected.sinceChangeMs(kinds, atMs));
            const own = records.login(account, atMs + 5000);
            const other = expected.login(atMs + 5000);
            expect(own && { ...own, speedKmh: 0 }).toEqual(other && { ...other, speedKmh: 0 });
            const [a, b] = [own?.speedKmh ?? NaN, other?.speedKmh ?? NaN];
            if (Number.isNaN(b)) expect(a).toBeNaN();
            else expect(Math.abs(a - b)).toBeLessThanOrEqual(1 + b * 1e-6);
          }
      }),
      { numRuns: 1500 },
    );
  });

  it('know nothing of an account without records', () => {
    const records = createAccountRecords();
    expect(records.profile(1)).toBeUndefined();
    expect(records.login(1, startMs)).toBeUndefined();
    expect(records.changes(1, 1023, 0, startMs)).toBe(0);
    expect(records.sinceChangeMs(1, 1023, startMs)).toBeNaN();
    expect(records.isStopped(1, 0, startMs)).toBe(false);
    expect(records.isKinStopped(1, 0, startMs)).toBe(false);
    expect(records.firms(1, 'agent')).toBeNaN();
  });

  it('keep the latest profile whole, whichever comes first', () => {
    const earlier = profile(startMs, { capitalFen: 100, phone: '0371', related: ['李某'] });
    const later = profile(startMs + 1000, {
      status: 'revoked',
      region: '410100',
      registeredOn: '1970-01-02',
      employees: ['4100009', '王某'],
    });
    for (const order of [
      [earlier, later],
      [later, earlier],
    ]) {
      const records = createAccountRecords();
      for (const each of order) records.takeProfile(3, each);
      const known = records.profile(3);
      expect(known).toMatchObject({
        status: 3,
        province: 41,
        registeredDay: 1,
        capitalFen: NaN,
        phone: '',
        licenceUntilDay: NaN,
      });
      expect([...known!.employees]).toEqual(['4100009', '王某']);
      expect(known!.related.size).toBe(0);
    }
  });

  it('give one answer for two profiles of one time in either order', () => {
    const [a, b] = [profile(startMs, { id: 'a', phone: '1' }), profile(startMs, { id: 'b', phone: '2' })];
    for (const order of [
      [a, b],
      [b, a],
      [b, a, b, a],
    ]) {
      const records = createAccountRecords();
      for (const each of order) records.takeProfile(3, each);
      expect(records.profile(3)?.phone).toBe('2');
    }
  });

  it('do not call the province of the first login new, but that of a later session in all its steps', () => {
    const records = createAccountRecords();
    records.takeLogin(1, login(startMs, { province: 41 }));
    expect(records.login(1, startMs)?.newProvince).toBe(false);
    records.takeLogin(1, login(startMs + 1000, { province: 53, session: 's' }));
    records.takeLogin(1, login(startMs + 2000, { province: 53, session: 's', step: 'maker' }));
    expect(records.login(1, startMs + 1000)?.newProvince).toBe(true);
    expect(records.login(1, startMs + 2000)?.newProvince).toBe(true);
    records.takeLogin(1, login(startMs + 3000, { province: 53 }));
    expect(records.login(1, startMs + 3000)?.newProvince).toBe(false);
  });

  it('know a province for 90 days', () => {
    for (const [days, isNew] of [
      [89, false],
      [90, false],
      [91, true],
    ] as const) {
      const records = createAccountRecords();
      records.takeLogin(1, login(startMs, { province: 41 }));
      records.takeLogin(1, login(startMs + days * dayMs, { province: 41 }));
      expect(records.login(1, startMs + days * dayMs)?.newProvince).toBe(isNew);
    }
  });

  it('see maker and checker on one machine, though they have sessions of their own', () => {
    const records = createAccountRecords();
    records.takeLogin(1, login(startMs, { step: 'maker', session: 'm', device: { mac: 'aa', ip: '10.0.0.1' } }));
    records.takeLogin(1, login(startMs + 40_000, { step: 'checker', session: 'c', device: { mac: 'aa', ip: '10.0.0.2' } }));
    expect(records.login(1, startMs + 60_000)).toMatchObject({ sameHandSeconds: 40, ips: 1, ageSeconds: 20 });
    records.takeLogin(1, login(startMs + 50_000));
    expect(records.login(1, startMs + 60_000)?.sameHandSeconds).toBeNaN();
  });

  it('reckon 622 km from Zhengzhou to Beijing in half an hour as 1,245 km/h', () => {
    const records = createAccountRecords();
    records.takeLogin(1, login(startMs, { latitude: 34.7466, longitude: 113.6253 }));
    records.takeLogin(1, login(startMs + 1_800_000, { latitude: 39.9042, longitude: 116.4074 }));
    expect(records.login(1, startMs + 1_800_000)?.speedKmh).toBeCloseTo(1245, -1);
  });

  it.each([
    ['another operator', { operator: 'maker' }, { operator: 'checker' }, false],
    [
      'the same operator at another machine',
      { operator: 'op', device: { id: 'a' } },
      { operator: 'op', device: { id: 'b' } },
      true,
    ],
    [
      'another operator at the same machine',
      { operator: 'op', device: { id: 'a' } },
      { operator: 'other', device: { id: 'a' } },
      false,
    ],
    ['the same machine, the operator not named', { device: { id: 'a' } }, { device: { id: 'a' } }, true],
    ['the same MAC, the operator not named', { device: { mac: 'a' } }, { device: { mac: 'a' } }, true],
    ['another machine, the operator not named', { device: { id: 'a' } }, { device: { id: 'b' } }, false],
    ['the same machine, the operator named before only', { operator: 'op', device: { id: 'a' } }, { device: { id: 'a' } }, true],
    ['nobody named', {}, {}, true],
    ['nobody named, somebody before', { operator: 'op' }, {}, false],
  ] as const)('reckon a journey of one hand alone: %s', (_, first, second, isJourney) => {
    const records = createAccountRecords();
    records.takeLogin(1, login(startMs, { latitude: 34.75, longitude: 113.62, ...first }));
    records.takeLogin(1, login(startMs + 480_000, { latitude: 39.9, longitude: 116.4, ...second }));
    const { speedKmh } = records.login(1, startMs + 480_000)!;
    expect([Number.isNaN(speedKmh), speedKmh > 900]).toEqual([!isJourney, isJourney]);
  });

  it('look past other hands for the login before', () => {
    const records = createAccountRecords();
    records.takeLogin(1, login(startMs, { operator: 'op', latitude: 34.7466, longitude: 113.6253 }));
    records.takeLogin(1, login(startMs + 900_000, { operator: 'other', latitude: 39.9042, longitude: 116.4074 }));
    records.takeLogin(1, login(startMs + 1_800_000, { operator: 'op', latitude: 39.9042, longitude: 116.4074 }));
    expect(records.login(1, startMs + 1_800_000)?.speedKmh).toBeCloseTo(1245, -1);
  });

  it('keep the latest 200 logins and changes, in whatever order they came', () => {
    for (const order of [1, -1]) {
      const records = createAccountRecords();
      const minutes = Array.from({ length: 300 }, (_, i) => i);
      if (order < 0) minutes.reverse();
      for (const minute of minutes) {
        records.takeChange(1, 'seal', startMs + minute * 60_000, `c-${minute}`);
        records.takeLogin(1, login(startMs + minute * 60_000));
      }
      const end = startMs + 300 * 60_000;
      expect(records.changes(1, bit('seal'), 0, end)).toBe(200);
      expect(records.changes(1, bit('seal'), startMs + 99 * 60_000, end)).toBe(200);
      expect(records.changes(1, bit('seal'), startMs + 100 * 60_000, end)).toBe(199);
      expect(records.login(1, startMs + 99 * 60_000)).toBeUndefined();
      expect(records.login(1, startMs + 100 * 60_000)?.ageSeconds).toBe(0);
    }
  });

  it('give up the room of what is older than 400 days', () => {
    const records = createAccountRecords();
    const take = (i: number) => records.takeChange(1, 'phone', startMs + i * 10 * dayMs, `c-${i}`);
    for (let i = 0; i <= 40; i++) take(i);
    const bytes = records.bytesUsed();
    for (let i = 41; i <= 200; i++) take(i);
    for (let i = -200; i < 0; i++) take(i);
    expect(records.bytesUsed()).toBe(bytes);
    expect(records.changes(1, bit('phone'), 0, Infinity)).toBe(41);
  });

  it('keep the last number of enterprises that share a thing, by kind', () => {
    const records = createAccountRecords();
    records.takeFirms(1, 'agent', 3);
    records.takeFirms(1, 'agent', 4);
    expect(records.firms(1, 'agent')).toBe(4);
    expect(records.firms(1, 'phone')).toBeNaN();
  });
});
