import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import { amountFenMax } from '../../src/domain/money.js';
import type { WarningCommand } from '../../src/domain/warning-command.js';
import { absorbHit, hitsListedMax, transactionOf, warningIdOf, type WarningFacts } from '../../src/domain/warning-facts.js';
import { obeyCommand, settleWarning } from '../../src/domain/warning-policy.js';
import { type Warning, warningSchema } from '../../src/domain/warning.js';
import { parseWarningPolicy, WarningPolicyError } from '../../src/pipeline/warning-policy-file.js';
import { shippedPolicy as policy } from '../support/pipeline.js';
import { makeHit } from '../support/hits.js';

const nowMs = Date.parse('2026-07-01T10:00:00+08:00');

describe('the order in which hits come in changes nothing about the warning', () => {
  const patterns = fc.constantFrom<Partial<Hit>>(
    { pattern: 'V01', severity: 'critical', score: 0.9 },
    { pattern: 'V12', severity: 'high', score: 0.7 },
    { pattern: 'V12', severity: 'high', score: 0.4 },
    { pattern: 'V11', severity: 'medium', score: 0.5, audience: ['own-bank', 'provincial-centre'] },
    { pattern: 'V13', severity: 'low', score: 1, side: 'mule' },
    { pattern: 'V02', severity: 'high', score: 0.6, suspected: true, audience: ['own-bank'] },
  );
  const hits = fc.array(fc.tuple(patterns, fc.nat(30)), { minLength: 1, maxLength: 90 });

  test('level, score, amount, audience, hits, times and words are the same for every permutation', () => {
    fc.assert(
      fc.property(hits, fc.infiniteStream(fc.nat()), (chosen, choices) => {
        const all = chosen.map(([pattern, transaction]) =>
          makeHit({
            ...pattern,
            transaction: `T${transaction}`,
            amountFen: 1_000 + transaction,
            currency: transaction % 7 === 0 ? 'USD' : 'CNY',
            time: `2026-07-01T09:0${transaction % 4}:00+08:00`,
            receivedAtMs: nowMs + transaction,
            payer: {
              account: `4100${transaction % 3}`,
              creditCode: '91410100MA0000001X',
              ...(transaction % 2 === 0 ? { name: `名${transaction}` } : {}),
            },
          }),
        );
        const shuffled = all.toSorted(() => ((choices.next().value ?? 0) % 3) - 1);
        expect(timeless(warningOf(shuffled))).toEqual(timeless(warningOf(all)));
      }),
      { numRuns: 300 },
    );
  });

  test('the kind that the bank says is kept of both parties, where the name by itself says otherwise', () => {
    const wages = { account: '41003', name: '农民工工资代发', kind: 'corporate' } as const;
    const person = { account: '62003', name: '张三', kind: 'personal' } as const;
    const told = warningOf([makeHit({ payer: wages, payee: wages })]);
    expect(warningSchema.parse(told)).toMatchObject({
      subject: { kind: 'corporate' },
      hits: [{ counterparty: { kind: 'corporate' } }],
    });
    const plain = warningOf([makeHit({ payer: { ...wages, name: '华信公司' }, payee: person })]);
    expect(plain.subject).not.toHaveProperty('kind');
    expect(plain.hits[0]?.counterparty).not.toHaveProperty('kind');
    const nameless = { ...makeHit({}).payer, name: undefined };
    const named = { ...nameless, name: wages.name, kind: wages.kind };
    const hits = [
      makeHit({ payer: nameless, severity: 'critical', score: 1, pattern: 'V02' }),
      makeHit({ payer: named, subject: { kind: 'account', id: named.account } }),
    ];
    expect(warningOf(hits).subject).toMatchObject({ name: wages.name, kind: 'corporate' });
  });

  test('a hit that comes twice counts once', () => {
    const hit = makeHit({});
    expect(warningOf([hit, hit])).toEqual(warningOf([hit]));
  });

  test('two patterns on one transaction count its amount once', () => {
    const warning = warningOf([makeHit({ pattern: 'V01', amountFen: 500 }), makeHit({ pattern: 'V12', amountFen: 500 })]);
    expect(warning).toMatchObject({ amountFen: 500, hitCount: 2 });
  });

  test('amounts of two currencies are not added up', () => {
    const warning = warningOf([
      makeHit({ transaction: 'T1', amountFen: 500, currency: 'CNY', severity: 'critical' }),
      makeHit({ transaction: 'T2', amountFen: 900, currency: 'USD', severity: 'low' }),
    ]);
    expect(warning).toMatchObject({ amountFen: 500, currency: 'CNY' });
  });

  test('a sum beyond what is counted exactly stays a warning that everybody can read', () => {
    const amountFen = amountFenMax;
    const warning = warningOf(Array.from({ length: 1_000 }, (_, n) => makeHit({ transaction: `T${n}`, amountFen })));
    expect(warning.amountFen).toBe(Number.MAX_SAFE_INTEGER);
    expect(warningSchema.parse(warning)).toMatchObject({ hitCount: 1_000 });
  });

  test.each([49, 50, 51])('of %d hits at most fifty are listed, strongest first, and all are counted', (count) => {
    const hits = Array.from({ length: count }, (_, n) => makeHit({ transaction: `T${n}`, score: 0.5 }));
    const strongest = makeHit({ transaction: 'last', score: 0.6 });
    const warning = warningOf([...hits.slice(1), strongest]);
    expect(warning.hits).toHaveLength(Math.min(count, hitsListedMax));
    expect(warning.hitCount).toBe(count);
    expect(warning.hits[0]?.id).toBe(strongest.id);
  });
});

describe('one warning per enterprise, family and day', () => {
  test('accounts of one enterprise share it, an account without a credit code stands for itself', () => {
    const [one, other] = ['41001', '41002'].map((account) => makeHit({ payer: { account, creditCode: '91410100MA0000001X' } }));
    expect(warningIdOf(one!)).toBe(warningIdOf(other!));
    expect(warningIdOf(makeHit({ payer: { account: '41001' } }))).not.toBe(warningIdOf(makeHit({ payer: { account: '41002' } })));
  });

  test('the day ends at midnight in Shanghai', () => {
    const at = (time: string) => warningIdOf(makeHit({ time }));
    expect(at('2026-07-01T23:59:59+08:00')).toBe(at('2026-07-01T00:00:00+08:00'));
    expect(at('2026-07-02T00:00:00+08:00')).not.toBe(at('2026-07-01T23:59:59+08:00'));
  });

  test('enterprises that share a thing are one warning; what a reference record led to names no other party', () => {
    const subject = { kind: 'legal-rep', id: 'rep-1' } as const;
    const byRecord = { subject, transaction: 'R1', amountFen: 0, payee: { account: '0000' } };
    const byPayment = makeHit({ subject, transaction: 'T2', payer: { account: '41002', creditCode: '91410100MA0000002X' } });
    const warning = warningOf([makeHit(byRecord), byPayment]);
    expect(warning).toMatchObject({ hitCount: 2, subject: { key: 'legal-rep:rep-1' }, amountFen: byPayment.amountFen });
    const others = new Map(warning.hits.map(({ transaction, counterparty }) => [transaction, counterparty?.account]));
    expect(others).toEqual(
      new Map([
        ['R1', undefined],
        ['T2', '622200002'],
      ]),
    );
  });

  test('another family is another warning', () => {
    expect(warningIdOf(makeHit({ family: 'impersonation' }))).not.toBe(warningIdOf(makeHit({ family: 'first-payment' })));
  });
});

describe('the level', () => {
  const level = (...hits: Partial<Hit>[]) => warningOf(hits.map((hit, n) => makeHit({ pattern: `V0${n}`, ...hit }))).level;

  test.each([
    ['critical', 0.01, 'orange'],
    ['critical', 1, 'orange'],
    ['high', 0.01, 'yellow'],
    ['medium', 0.5, 'blue'],
    ['low', 1, 'blue'],
  ] as const)('one %s hit of score %d is %s', (severity, score, expected) => {
    expect(level({ severity, score })).toBe(expected);
  });

  test('a critical pattern is red with two other patterns, not with one', () => {
    const weak = { severity: 'low', score: 0.1 } as const;
    const critical = { severity: 'critical', score: 0.1 } as const;
    expect(level(critical, weak)).toBe('orange');
    expect(level(critical, weak, weak)).toBe('red');
  });

  test('the same pattern many times is not many signs', () => {
    const same = Array.from(
      { length: 20 },
      (_, n) => ({ pattern: 'V01', transaction: `T${n}`, severity: 'high', score: 0.7 }) as const,
    );
    expect(level(...same)).toBe('yellow');
  });

  test.each([
    [0.89, 'orange'],
    [0.9, 'red'],
    [0.91, 'red'],
  ])('a score of %d is %s', (score, expected) => {
    const exact = { ...policy, severityWeights: { ...policy.severityWeights, critical: 1 } };
    const hit = makeHit({ severity: 'critical', score });
    expect(warningOf([hit], exact)).toMatchObject({ score, level: expected });
  });
});

describe('a suspected mule is never told (反洗钱法 2024, art. 35)', () => {
  const everybody = ['enterprise', 'own-bank', 'other-bank', 'city-centre', 'provincial-centre'] as const;
  const mule = makeHit({ side: 'mule', audience: [...everybody] });
  const victim = makeHit({ side: 'victim', audience: [...everybody], pattern: 'V12' });

  test('a mule-side warning never reaches the enterprise, whatever its pattern names', () => {
    expect(warningOf([mule]).audience).toEqual(['own-bank', 'other-bank', 'city-centre', 'provincial-centre']);
  });

  test('neither does one in which a single hit is mule-side, in any order', () => {
    for (const hits of [
      [mule, victim],
      [victim, mule],
    ]) {
      expect(warningOf(hits)).toMatchObject({ side: 'mule' });
      expect(warningOf(hits).audience).not.toContain('enterprise');
    }
  });

  const suspected = makeHit({ suspected: true, audience: ['own-bank', 'city-centre'], pattern: 'V11', transaction: 'T2' });

  test('nor does a victim-side one once a hit says that the enterprise is suspected, in any order', () => {
    for (const hits of [[suspected], [suspected, victim], [victim, suspected]]) {
      const warning = warningOf(hits);
      expect(warning).toMatchObject({ side: 'victim', suspected: true });
      expect(warning.audience).not.toContain('enterprise');
      expect(warning.audience).toEqual(expect.arrayContaining(['own-bank', 'city-centre']));
      expect(warningSchema.parse(warning)).toEqual(warning);
    }
    expect(warningOf([victim])).not.toHaveProperty('suspected');
  });

  test('a suspected enterprise that a person found to be tricked is told', () => {
    const { warning, facts } = settled([suspected]);
    const outcome = obeyCommand(warning, facts, command('warning.dispose', { verdict: 'tricked' }), at);
    expect(outcome).toMatchObject({ kind: 'changed', warning: { audience: ['enterprise', 'own-bank', 'city-centre'] } });
  });

  test('a victim-side warning reaches it', () => {
    expect(warningOf([victim]).audience).toContain('enterprise');
  });

  test.each([
    ['fraud', false],
    ['dissuaded', false],
    ['false-alarm', false],
    ['unreachable', false],
    ['tricked', true],
  ] as const)('found %s, the enterprise is told: %s', (verdict, isTold) => {
    const { warning, facts } = settled([makeHit({ side: 'mule', audience: ['own-bank'] })]);
    const outcome = obeyCommand(warning, facts, command('warning.dispose', { verdict }), at);
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    expect(outcome.warning.audience.includes('enterprise')).toBe(isTold);
    const grown = settleWarning(outcome.warning, facts, policy, nowMs).warning;
    expect(grown.audience.includes('enterprise')).toBe(isTold);
  });
});

describe('the life of a warning', () => {
  test('it is due by its level, from when the level was reached', () => {
    const first = settled([makeHit({ severity: 'high', score: 0.1 })]);
    expect(Date.parse(first.warning.dueAt) - nowMs).toBe(policy.dueMinutes.yellow * 60_000);
    const laterMs = nowMs + 3_600_000;
    const { facts } = settled([
      makeHit({ severity: 'high', score: 0.1 }),
      makeHit({ severity: 'critical', score: 0.1, pattern: 'V02' }),
    ]);
    const risen = settleWarning(first.warning, facts, policy, laterMs);
    expect(risen.change).toBe('level-risen');
    expect(risen.warning.raisedAt).toBe(first.warning.raisedAt);
    expect(Date.parse(risen.warning.dueAt) - laterMs).toBe(policy.dueMinutes.orange * 60_000);
  });

  test('a further hit changes neither when it was raised nor when it is due', () => {
    const first = settled([makeHit({ transaction: 'T1' })]);
    const { facts } = settled([makeHit({ transaction: 'T1' }), makeHit({ transaction: 'T2' })]);
    const grown = settleWarning(first.warning, facts, policy, nowMs + 60_000);
    expect(grown.change).toBe('grown');
    expect(grown.warning).toMatchObject({
      revision: 2,
      raisedAt: first.warning.raisedAt,
      dueAt: first.warning.dueAt,
      hitCount: 2,
    });
  });

  test('acknowledged, it is so once; a rise in level opens it again, a further hit does not', () => {
    const { warning, facts } = settled([makeHit({ severity: 'high', score: 0.1, transaction: 'T1' })]);
    const outcome = obeyCommand(warning, facts, command('warning.acknowledge', { note: '已联系' }), at);
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    expect(outcome.warning).toMatchObject({
      status: 'acknowledged',
      acknowledgedBy: '李警官',
      acknowledgedAt: at,
      note: '已联系',
      revision: 2,
    });
    expect(obeyCommand(outcome.warning, facts, command('warning.acknowledge', {}), at)).toEqual({ kind: 'unchanged' });
    expect(settleWarning(outcome.warning, facts, policy, nowMs).warning.status).toBe('acknowledged');

    const risen = settled([makeHit({ severity: 'high', score: 0.1 }), makeHit({ severity: 'critical', pattern: 'V02' })]).facts;
    const reopened = settleWarning(outcome.warning, risen, policy, nowMs).warning;
    expect(reopened.status).toBe('open');
    expect(reopened.acknowledgedAt).toBeUndefined();
    expect(reopened.note).toBe('已联系');
  });

  test('what a person says after a receiver has acknowledged is kept with the note; the same words again change nothing', () => {
    const { warning, facts } = settled([makeHit({})]);
    const acknowledge = (before: Warning, data: object, speaker?: 'receiver') =>
      obeyCommand(before, facts, command('warning.acknowledge', data), at, speaker);
    const changed = (outcome: ReturnType<typeof acknowledge>): Warning => {
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      return outcome.warning;
    };
    const byReceiver = changed(acknowledge(warning, { by: 'ACME' }, 'receiver'));
    expect(acknowledge(byReceiver, { by: '样例银行' }, 'receiver').kind).toBe('unchanged');
    const byPerson = changed(acknowledge(byReceiver, { note: '已致电' }));
    expect(byPerson).toMatchObject({
      revision: 3,
      acknowledgedBy: 'ACME',
      note: '已致电',
      acknowledgedAgain: [{ by: '李警官', at, note: '已致电' }],
    });
    expect(acknowledge(byPerson, { note: '已致电' }).kind).toBe('unchanged');
    expect(acknowledge(byPerson, {}).kind).toBe('unchanged');
    const more = changed(acknowledge(byPerson, { note: '付款已停' }));
    expect(more.note).toBe('已致电');
    expect(more.acknowledgedAgain?.map(({ note }) => note)).toEqual(['已致电', '付款已停']);
    expect(settleWarning(more, facts, policy, nowMs).warning.acknowledgedAgain).toHaveLength(2);
  });

  test('a warning keeps 20 further acknowledgements, and refuses the next one with a reason', () => {
    const { warning, facts } = settled([makeHit({})]);
    let last = warning;
    for (let i = 0; i <= 20; i++) {
      const outcome = obeyCommand(last, facts, command('warning.acknowledge', { by: `officer ${i}` }), at);
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      last = outcome.warning;
    }
    expect(last.acknowledgedAgain).toHaveLength(20);
    const refused = obeyCommand(last, facts, command('warning.acknowledge', { by: 'one more' }), at);
    expect(refused).toMatchObject({ kind: 'refused', reason: expect.stringContaining('disposition') });
  });

  test('disposed of, it can be disposed of otherwise but not acknowledged any more', () => {
    const { warning, facts } = settled([makeHit({})]);
    const disposed = obeyCommand(warning, facts, command('warning.dispose', { verdict: 'false-alarm', note: '正常货款' }), at);
    if (disposed.kind !== 'changed') throw new Error(disposed.kind);
    expect(disposed.warning).toMatchObject({ status: 'disposed', verdict: 'false-alarm', acknowledgedBy: '李警官' });
    expect(
      obeyCommand(disposed.warning, facts, command('warning.dispose', { verdict: 'false-alarm', note: '正常货款' }), at).kind,
    ).toBe('unchanged');
    expect(obeyCommand(disposed.warning, facts, command('warning.dispose', { verdict: 'fraud' }), at)).toMatchObject({
      warning: { verdict: 'fraud' },
    });
    expect(obeyCommand(disposed.warning, facts, command('warning.acknowledge', {}), at).kind).toBe('refused');
  });

  test('it tells who disposed of it and when, and what was found before by whom; saying the same again changes nothing', () => {
    const { warning, facts } = settled([makeHit({ severity: 'high', score: 0.1 })]);
    const say = (before: Warning, data: object, when: string) => {
      const outcome = obeyCommand(before, facts, command('warning.dispose', data), when);
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      return outcome.warning;
    };
    const [first, second] = ['2026-07-01T10:00:00+08:00', '2026-07-01T11:00:00+08:00'];
    const found = { verdict: 'false-alarm', note: '正常货款', by: '李警官' };
    const corrected = { verdict: 'fraud', note: '已立案', by: '王警官' };
    const once = say(warning, found, first);
    expect(once).toMatchObject({ disposedBy: '李警官', disposedAt: first, dispositions: [{ ...found, at: first }] });
    const twice = say(once, corrected, second);
    expect(twice).toMatchObject({
      verdict: 'fraud',
      note: '已立案',
      disposedBy: '王警官',
      disposedAt: second,
      acknowledgedBy: '李警官',
      dispositions: [
        { ...found, at: first },
        { ...corrected, at: second },
      ],
    });
    expect(obeyCommand(twice, facts, command('warning.dispose', corrected), second)).toEqual({ kind: 'unchanged' });
    expect(say(twice, { ...corrected, by: '赵警官' }, second).dispositions).toHaveLength(3);

    const risen = settled([makeHit({ severity: 'high', score: 0.1 }), makeHit({ severity: 'critical', pattern: 'V02' })]).facts;
    const reopened = settleWarning(twice, risen, policy, nowMs).warning;
    expect(reopened).toMatchObject({ status: 'open', disposedBy: '王警官', disposedAt: second });
    expect(reopened.dispositions).toEqual(twice.dispositions);
    expect(warningSchema.parse(reopened)).toEqual(reopened);
  });

  test('of many dispositions the latest twenty are kept', () => {
    let { warning, facts } = settled([makeHit({})]);
    for (let n = 1; n <= 25; n++) {
      const outcome = obeyCommand(warning, facts, command('warning.dispose', { verdict: 'fraud', note: `第${n}次` }), at);
      if (outcome.kind === 'changed') ({ warning } = outcome);
    }
    expect(warning.dispositions?.map(({ note }) => note)).toEqual(Array.from({ length: 20 }, (_, n) => `第${n + 6}次`));
  });

  test('one that an earlier release has disposed of is read, and its record begins with the next disposition', () => {
    const { warning, facts } = settled([makeHit({})]);
    const old = warningSchema.parse({ ...warning, status: 'disposed', verdict: 'fraud', note: '已立案' });
    const same = command('warning.dispose', { verdict: 'fraud', note: '已立案' });
    expect(obeyCommand(old, facts, same, at)).toEqual({ kind: 'unchanged' });
    expect(obeyCommand(old, facts, command('warning.dispose', { verdict: 'false-alarm', note: '撤案' }), at)).toMatchObject({
      warning: { dispositions: [{ verdict: 'false-alarm', note: '撤案', by: '李警官', at }] },
    });
  });

  test('an appeal is kept with who made it and when', () => {
    const { warning, facts } = settled([makeHit({})]);
    const outcome = obeyCommand(warning, facts, command('warning.appeal', { text: '这是我公司的正常付款' }), at);
    expect(outcome).toMatchObject({ warning: { appeal: { by: '李警官', text: '这是我公司的正常付款', at }, status: 'open' } });
  });
});

describe('the file of weights and levels', () => {
  test('every mistake is told at once, each with its path', () => {
    const attempt = () =>
      parseWarningPolicy('levelScores: { yellow: 0.5, orange: 0.4, red: 0.9 }\nredCorroboration: 0\ncolour: red\n', 'w.yaml');
    expect(attempt).toThrow(WarningPolicyError);
    expect(attempt).toThrow(/w\.yaml: .*severityWeights.*levelScores: expected yellow < orange < red.*redCorroboration.*colour/s);
  });

  test('what is no YAML is told with its place', () => {
    expect(() => parseWarningPolicy('a: [1', 'w.yaml')).toThrow(/w\.yaml: not valid YAML: .*line 1/s);
  });
});

const at = '2026-07-01T10:05:00+08:00';

function command(type: WarningCommand['type'], data: object): WarningCommand {
  return { type, data: { warningId: 'w', subjectKey: 'k', by: '李警官', ...data } } as WarningCommand;
}

function settled(hits: readonly Hit[], by = policy): { warning: Warning; facts: WarningFacts } {
  let facts: WarningFacts | null = null;
  const seen = new Map<string, string[]>();
  for (const hit of hits) {
    const before = seen.get(transactionOf(hit)) ?? [];
    const next = absorbHit(facts, hit, before, by);
    facts = next.facts;
    if (next.outcome === 'absorbed') seen.set(transactionOf(hit), [...before, hit.id]);
  }
  if (!facts) throw new Error('no hits');
  return { warning: settleWarning(null, facts, by, nowMs).warning, facts };
}

function warningOf(hits: readonly Hit[], by = policy): Warning {
  return settled(hits, by).warning;
}

function timeless({ revision: _r, raisedAt: _a, dueAt: _d, ...warning }: Warning): unknown {
  return warning;
}
