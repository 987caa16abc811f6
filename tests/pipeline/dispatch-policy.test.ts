import { describe, expect, test } from 'vitest';
import { decideDispatch, nextAttempt, recipientsOf, type Told } from '../../src/domain/dispatch-policy.js';
import type { Recipient, RecipientKind } from '../../src/domain/recipient.js';
import { parseRoutes } from '../../src/pipeline/routes-file.js';
import { enterprise, shippedRoutes, warningOf } from './dispatch-support.js';

const recipient = (id: string, kind: RecipientKind, match: string): Recipient => ({
  id,
  kind,
  match,
  name: id,
  webhook: { url: 'https://example.cn' },
});
const everyone = [
  recipient('firm', 'enterprise', enterprise.creditCode),
  recipient('firm-account', 'enterprise', enterprise.account),
  recipient('other-firm', 'enterprise', '91410100MA00000002'),
  recipient('icbc', 'bank', '102'),
  recipient('icbc-zhengzhou', 'bank', '102491'),
  recipient('abc', 'bank', '103'),
  recipient('ccb', 'bank', '105'),
  recipient('zhengzhou', 'centre', '4101'),
  recipient('luoyang', 'centre', '4103'),
  recipient('henan', 'centre', '41'),
  recipient('hebei', 'centre', '13'),
  recipient('national', 'centre', '*'),
];
const told = (changes: Parameters<typeof warningOf>[1]) => recipientsOf(warningOf('w', changes), everyone).map(({ id }) => id);

describe('who is told of a warning', () => {
  test('the firm itself, both banks, and the centres of its region', () => {
    expect(told({})).toEqual(['firm', 'firm-account', 'icbc', 'icbc-zhengzhou', 'abc', 'zhengzhou', 'henan', 'national']);
  });

  test('a suspected mule is never told, even where the audience wrongly holds it (反洗钱法 2024 art. 35)', () => {
    const mule = told({ side: 'mule', audience: ['enterprise', 'own-bank', 'city-centre'] });
    expect(mule).toEqual(['icbc', 'icbc-zhengzhou', 'zhengzhou', 'henan', 'national']);
    expect(told({ side: 'mule', audience: ['own-bank'] })).not.toContain('firm');
  });

  test('neither is a firm that is suspected itself, on the victim’s side', () => {
    expect(told({ suspected: true })).toEqual(['icbc', 'icbc-zhengzhou', 'abc', 'zhengzhou', 'henan', 'national']);
    expect(told({ suspected: true, verdict: 'tricked' })).toContain('firm');
  });

  test('a firm that a person found to be tricked is told', () => {
    const tricked = {
      side: 'mule',
      verdict: 'tricked',
      status: 'disposed',
      audience: ['enterprise', 'own-bank'],
    } as const;
    expect(told({ ...tricked, audience: [...tricked.audience] })).toContain('firm');
  });

  test('an enterprise is told only where the audience holds an enterprise', () => {
    expect(told({ audience: ['own-bank', 'city-centre'] })).not.toContain('firm');
  });

  test('a bank is told only of the side that the audience names', () => {
    expect(told({ audience: ['enterprise', 'own-bank'] })).toEqual(['firm', 'firm-account', 'icbc', 'icbc-zhengzhou']);
    expect(told({ audience: ['enterprise', 'other-bank'] })).toEqual(['firm', 'firm-account', 'abc']);
  });

  test('a city centre hears of its city, a provincial centre of its province', () => {
    expect(told({ audience: ['provincial-centre'] })).toEqual(['henan', 'national']);
    expect(told({ audience: ['city-centre'], subject: { ...warningOf('w').subject, region: '410302' } })).toEqual([
      'luoyang',
      'henan',
      'national',
    ]);
    const { region: _, ...nowhere } = warningOf('w').subject;
    expect(told({ audience: ['city-centre'], subject: nowhere })).toEqual(['national']);
  });
});

describe('when they are told again', () => {
  const decide = (previous: Told | null, changes: Parameters<typeof warningOf>[1]) =>
    decideDispatch(previous, warningOf('w', changes), [recipient('c', 'centre', '*')], shippedRoutes, 0);
  const after = (previous: Told | null, changes: Parameters<typeof warningOf>[1]) => {
    const decision = decide(previous, changes);
    if (decision.kind === 'ignore') throw new Error(`ignored: ${decision.reason}`);
    return decision;
  };

  test('a repeated or an older revision changes nothing', () => {
    const { told: memory } = after(null, { revision: 2 });
    expect(decide(memory, { revision: 2 })).toEqual({ kind: 'ignore', reason: 'repeated' });
    expect(decide(memory, { revision: 1 })).toEqual({ kind: 'ignore', reason: 'older' });
  });

  test('a rise is told, the same level and a fall are not', () => {
    const { told: memory } = after(null, { level: 'yellow' });
    expect(after(memory, { level: 'yellow', revision: 2 })).toMatchObject({ reason: 'nothing-new', plan: [] });
    expect(after(memory, { level: 'blue', revision: 2 }).plan.map(({ channel }) => channel)).toEqual([]);
    expect(after(memory, { level: 'orange', revision: 2 }).plan).toHaveLength(shippedRoutes.channels.orange.centre.length);
  });

  test('an acknowledgement by one cancels nothing for the others; a rise after it is news', () => {
    const acknowledged = { status: 'acknowledged', acknowledgedAt: '2026-07-01T09:31:00+08:00' } as const;
    const first = after(null, { level: 'yellow' });
    const second = after(first.told, { level: 'yellow', revision: 2, ...acknowledged });
    expect(second).toMatchObject({ cancel: null, plan: [], reason: 'nothing-new' });
    const third = after(second.told, { level: 'red', revision: 3, ...acknowledged });
    expect(third.cancel).toBeNull();
    expect(third.plan.length).toBeGreaterThan(0);
  });

  test('a disposal cancels, tells nobody, and says why', () => {
    const first = after(null, {});
    const second = after(first.told, { revision: 2, status: 'disposed', verdict: 'false-alarm' });
    expect(second).toMatchObject({ cancel: 'withdrawn', plan: [], reason: 'withdrawn' });
  });

  test('a recipient who comes to be concerned later is told then', () => {
    const first = decideDispatch(null, warningOf('w', { audience: ['own-bank'] }), everyone, shippedRoutes, 0);
    if (first.kind === 'ignore') throw new Error('ignored');
    const second = decideDispatch(
      first.told,
      warningOf('w', { revision: 2, audience: ['own-bank', 'city-centre'] }),
      everyone,
      shippedRoutes,
      0,
    );
    if (second.kind === 'ignore') throw new Error('ignored');
    expect([...new Set(second.plan.map(({ recipient: id }) => id))]).toEqual(['zhengzhou', 'henan', 'national']);
  });
});

describe('when an attempt is made again', () => {
  const { retry } = shippedRoutes;
  const next = (elapsedS: number, chance = 0.5, afterMs?: number) =>
    nextAttempt({ plannedAtMs: 0, nowMs: elapsedS * 1000, chance, retry, ...(afterMs === undefined ? {} : { afterMs }) });

  test('at 2, 5, 15, 30 and 60 seconds, 2, 5 and 15 minutes, then every hour for a day', () => {
    const times: number[] = [];
    for (let at = 0; ;) {
      const attempt = next(at);
      if (attempt.kind === 'exhausted') break;
      at = attempt.dueMs / 1000;
      times.push(at);
    }
    expect(times.slice(0, 10)).toEqual([2, 5, 15, 30, 60, 120, 300, 900, 4500, 8100]);
    expect(times.at(-1)).toBeLessThanOrEqual(86_400);
    expect(times).toHaveLength(8 + 23);
  });

  test('waits are stretched and shortened by a fifth at most', () => {
    expect(next(0, 0)).toMatchObject({ kind: 'at', dueMs: 1600 });
    expect(next(0, 1)).toMatchObject({ kind: 'at', dueMs: 2400 });
  });

  test.each([0, 0.1, 0.5, 0.9, 1])('jitter adds no attempts: with chance %d each time of the schedule has one', (chance) => {
    const times: number[] = [];
    let slotMs: number | undefined;
    for (let nowMs = 0; times.length < 8;) {
      const attempt = nextAttempt({ plannedAtMs: 0, nowMs, lastSlotMs: slotMs, chance, retry });
      if (attempt.kind === 'exhausted') throw new Error(attempt.reason);
      [nowMs, slotMs] = [attempt.dueMs, attempt.slotMs];
      times.push(slotMs / 1000);
    }
    expect(times).toEqual([2, 5, 15, 30, 60, 120, 300, 900]);
  });

  test('times missed while the platform was down are not made up for', () => {
    expect(next(3600)).toMatchObject({ kind: 'at', dueMs: 4_500_000 });
  });

  test('what an endpoint asks for is respected, up to 15 minutes', () => {
    expect(next(0, 0.5, 10_000)).toMatchObject({ kind: 'at', dueMs: 10_000 });
    expect(next(0, 0.5, 900_000)).toMatchObject({ kind: 'at', dueMs: 900_000 });
    expect(next(0, 0.5, 900_001)).toMatchObject({ kind: 'at', dueMs: 900_000 });
    expect(next(0, 0.5, 10)).toMatchObject({ kind: 'at', dueMs: 2000 });
  });

  test('after a day it is given up', () => {
    expect(next(86_399)).toMatchObject({ kind: 'exhausted' });
  });
});

describe('the routes file', () => {
  test('tells every mistake with its path', () => {
    const text = 'channels: { red: { enterprise: [pigeon] } }\nretry: { atSeconds: [5, 2] }\n';
    expect(() => parseRoutes(text, 'routes.yaml')).toThrow(/routes\.yaml: .*channels\.red\.enterprise\.0.*retry\.everySeconds/);
  });
});
