import { describe, expect, it } from 'vitest';
import { hitSchema, type Hit } from '../../src/domain/hit.js';
import { type Reference, referenceSchema } from '../../src/domain/reference.js';
import { createEngine, type ScoringEngine } from '../../src/scoring/engine.js';
import { accountNumber, exampleStream } from '../../src/scoring/example-stream.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';
import { scoreOne } from '../support/score-one.js';

const told = 'audience: [enterprise, own-bank, other-bank, city-centre, provincial-centre]';
const victimPattern = (id: string, on: string, extra = ''): string =>
  askingPattern({ id, on, extra }).replace('side: mule', 'side: victim').replace('audience: [city-centre]', told);

const set = compileOrThrow([
  { file: 'T01.yaml', text: victimPattern('T01', 'debit') },
  { file: 'T02.yaml', text: victimPattern('T02', 'credit', 'warns: payers') },
  // Levels are kept only where a pattern asks for them.
  { file: 'T03.yaml', text: askingPattern({ id: 'T03', when: 'self.caseLevel == 7' }) },
]);

const firm = {
  account: '41006000000000001',
  kind: 'corporate',
  name: '郑州示例贸易有限公司',
  creditCode: '91410100MA3X6AA49P',
} as const;
const stranger = { account: '6222020000000600009', kind: 'personal', name: '上家' } as const;
const at = (hour: number, minute = 0): string =>
  `2026-07-01T${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}:00+08:00`;

function refer(engine: ScoringEngine, record: object): void {
  const reference: Reference = referenceSchema.parse({ id: 'r-1', time: at(9), ...record });
  engine.takeReference(reference, () => true, 0, null);
}

/** What the firm's payment to the stranger hits, by pattern, in an engine that was told these records before. */
function hitsAfter(records: readonly object[], payment: { payer?: object; time?: string } = {}): Record<string, Hit> {
  const engine = createEngine(set);
  for (const record of records) refer(engine, record);
  const payer = { ...firm, ...payment.payer };
  const hits = scoreOne(engine, { id: 'p-1', time: payment.time ?? at(10), amountFen: 100, payer, payee: stranger });
  for (const hit of hits) expect(hitSchema.parse(JSON.parse(JSON.stringify(hit)))).toEqual(hit);
  return Object.fromEntries(hits.map((hit) => [hit.pattern, hit]));
}

const listed = (list: string, entry: string, more: object = {}): object => ({
  type: 'list',
  list,
  action: 'add',
  entries: [entry],
  ...more,
});
const everybody = ['enterprise', 'own-bank', 'other-bank', 'city-centre', 'provincial-centre'];
const authorities = everybody.slice(1);

describe('whoever is suspected itself is in the audience of no hit about it (反洗钱法 2024, art. 35)', () => {
  it.each([
    ['its account among the case accounts', listed('case-accounts', firm.account)],
    ['its account on the black list', listed('black', firm.account)],
    ['its credit code on the black list', listed('black', firm.creditCode)],
    ['its credit code among the case accounts', listed('case-accounts', firm.creditCode)],
    ['its name on the black list', listed('black', firm.name)],
    ['a case that names its account', { type: 'case-account', account: firm.account, level: 2 }],
  ])('%s', (_, record) => {
    const hits = hitsAfter([record]);
    for (const id of ['T01', 'T02']) expect(hits[id]).toMatchObject({ suspected: true, audience: authorities });
  });

  it.each([
    ['nothing is known', [], {}],
    ['another account is listed', [listed('case-accounts', stranger.account)], {}],
    ['it stands on a list that suspects nobody', [listed('white', firm.account)], {}],
    ['it is listed later', [listed('black', firm.account, { from: at(11) })], {}],
    ['its time on the list is over', [listed('black', firm.account, { until: at(9, 30) })], {}],
    ['a person has the name of somebody listed', [listed('black', firm.name)], { payer: { kind: 'personal' } }],
  ] as const)('it is told where %s', (_, records, payment) => {
    const hits = hitsAfter(records, payment);
    for (const id of ['T01', 'T02']) {
      expect(hits[id]?.audience).toEqual(everybody);
      expect(hits[id]).not.toHaveProperty('suspected');
    }
  });

  it('a firm that was paid with case money is told as before', () => {
    const engine = createEngine(set);
    refer(engine, { type: 'case-account', account: '41006000000000077', level: 0 });
    const pay = (id: string, time: string, payer: object, payee: object): Hit[] =>
      scoreOne(engine, { id, time, amountFen: 100, payer: { ...firm, ...payer }, payee: { ...stranger, ...payee } });
    const before = pay('p-0', at(9, 30), {}, {}).find(({ pattern }) => pattern === 'T01');
    expect(before?.audience).toEqual(everybody);
    const source = { account: '41006000000000077', name: '甲', creditCode: undefined };
    pay('p-1', at(9, 40), source, firm);
    const after = pay('p-2', at(10), {}, {}).find(({ pattern }) => pattern === 'T01');
    expect(after?.audience).toEqual(everybody);
    expect(after).not.toHaveProperty('suspected');
  });

  it('nothing else of a hit changes', () => {
    const { suspected: _, ...hit } = hitsAfter([listed('black', firm.account)])['T01']!;
    expect({ ...hit, audience: everybody }).toEqual(hitsAfter([])['T01']);
  });

  const shipped = compileOrThrow(shippedPatterns());
  const telling = shipped.patterns.filter(({ pattern }) => pattern.audience.includes('enterprise'));

  it.each(telling.map(({ pattern }) => [pattern.id, pattern] as const))('%s tells nobody who is listed', (_, pattern) => {
    const [example] = pattern.examples.hits;
    const stream = exampleStream(pattern, example!);
    if (stream.kind === 'broken') throw new Error('a shipped example is broken');
    const accounts = new Set(
      stream.items.flatMap((item) =>
        item.kind === 'transaction' ? [item.transaction.payer.account, item.transaction.payee.account] : [],
      ),
    );
    accounts.add(accountNumber(example!.subject));
    const run = (isListed: boolean): Hit[] => {
      const engine = createEngine(shipped);
      const found: Hit[] = [];
      if (isListed)
        for (const [i, entry] of [...accounts].entries())
          refer(engine, { ...listed('case-accounts', entry), id: `l-${i}`, time: '2020-01-01T00:00:00+08:00' });
      for (const item of stream.items) {
        if (item.kind === 'reference') engine.takeReference(item.reference, () => true, 0, found);
        else found.push(...scoreOne(engine, item.transaction));
      }
      return found;
    };
    expect(run(false).some((hit) => hit.pattern === pattern.id && hit.audience.includes('enterprise'))).toBe(true);
    expect(run(true).filter(({ audience }) => audience.includes('enterprise'))).toEqual([]);
  });
});
