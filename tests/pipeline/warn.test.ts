import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeEvents } from '../../src/domain/event.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import { subjectKeyOf, warningIdOf } from '../../src/domain/warning-facts.js';
import type { Warning } from '../../src/domain/warning.js';
import { OwnershipLost } from '../../src/ports/log.js';
import { createWarn } from '../../src/pipeline/warn.js';
import { createWarningCommands, createWarningsReader } from '../../src/pipeline/warnings.js';
import type { Membership } from '../../src/ports/log.js';
import { eventsOn, temporaryEmbedded, testPartitions } from '../support/embedded.js';
import { withFault } from '../support/faults.js';
import { makeHit } from '../support/hits.js';
import { shippedPolicy } from '../support/pipeline.js';

let parts: ReturnType<typeof temporaryEmbedded>;
let members: Membership[];
let nowMs = 0;
let sequence = 0;

beforeEach(() => {
  parts = temporaryEmbedded();
  members = [];
  nowMs = Date.parse('2026-07-01T10:00:00+08:00');
  sequence = 0;
});

afterEach(async () => {
  for (const member of members) await member.leave();
  await parts.remove();
});

describe('hits become warnings', () => {
  test('the first hit raises, a later one updates, and both are whole', async () => {
    const warn = await open();
    await find(makeHit({ transaction: 'T1' }));
    await drain(warn);
    await find(makeHit({ transaction: 'T2' }));
    await drain(warn);
    const told = await eventsOn(parts.log, 'warnings');
    expect(told.map(({ type, data }) => [type, (data as Warning).revision, (data as Warning).hitCount])).toEqual([
      ['warning.raised', 1, 1],
      ['warning.updated', 2, 2],
    ]);
    expect(told[1]?.data).toEqual(await stored(makeHit({})));
    expect(new Set(told.map(({ id }) => id)).size).toBe(2);
  });

  test('many hits of one batch are told as one warning', async () => {
    const warn = await open();
    await find(...Array.from({ length: 20 }, (_, n) => makeHit({ transaction: `T${n}` })));
    await drain(warn);
    expect(await eventsOn(parts.log, 'warnings')).toHaveLength(1);
    expect(await stored(makeHit({}))).toMatchObject({ hitCount: 20, amountFen: 20 * 5_000_000 });
  });

  test('a base signal alone warns nobody; with another sign it counts, also after a restart', async () => {
    const faint = { severity: 'medium', score: 0.25, pattern: 'V12' } as const;
    const warn = await open();
    await find(makeHit({ ...faint, transaction: 'T1' }), makeHit({ ...faint, transaction: 'T2' }));
    await drain(warn);
    expect(await eventsOn(parts.log, 'warnings')).toEqual([]);
    expect(await stored(makeHit({}))).toBeNull();
    await warn.leave();
    const again = await open();
    await find(makeHit({ transaction: 'T3' }));
    await drain(again);
    const told = await eventsOn(parts.log, 'warnings');
    expect(told.map(({ type }) => type)).toEqual(['warning.raised']);
    expect(told[0]?.data).toMatchObject({ revision: 1, hitCount: 3, amountFen: 3 * 5_000_000 });
  });

  test('enterprises that share a device are told of as one case, the payer of a prepayment instead of who took it', async () => {
    const other = { account: '410010009', name: '河南样例二有限公司', creditCode: '91410100MA0000009X' };
    const shared = { pattern: 'M17', side: 'mule', subject: { kind: 'device', id: 'dev-1' }, family: 'network' } as const;
    const warn = await open();
    await find(makeHit(shared), makeHit({ ...shared, transaction: 'T2', payer: other }));
    await find(makeHit({ pattern: 'V14', warns: 'payers', transaction: 'T4', subject: { kind: 'account', id: '622200002' } }));
    await drain(warn);
    const told = (await eventsOn(parts.log, 'warnings')).map(({ data }) => data as Warning);
    expect(told.filter(({ family }) => family === 'network').at(-1)).toMatchObject({
      hitCount: 2,
      subject: { key: 'device:dev-1' },
      audience: expect.not.arrayContaining(['enterprise']) as unknown,
    });
    expect(told.find(({ hits }) => hits[0]?.pattern === 'V14')?.subject).toMatchObject({ creditCode: '91410100MA0000001X' });
  });

  test('a shadow pattern never warns', async () => {
    const warn = await open();
    await find(makeHit({ state: 'shadow' }));
    await drain(warn);
    expect(await eventsOn(parts.log, 'warnings')).toEqual([]);
    expect(await stored(makeHit({}))).toBeNull();
  });

  test('a suspected mule’s enterprise is in no audience that leaves here', async () => {
    const warn = await open();
    await find(makeHit({ side: 'mule', audience: ['enterprise', 'own-bank', 'city-centre'] }));
    await drain(warn);
    const [told] = await eventsOn(parts.log, 'warnings');
    expect(told?.data).toMatchObject({ audience: ['own-bank', 'city-centre'] });
  });

  test('an enterprise that was told before it was suspected hears nothing of what comes after, also past a restart', async () => {
    const first = await open();
    await find(makeHit({ transaction: 'T1' }));
    await drain(first);
    await find(makeHit({ transaction: 'T2', suspected: true, audience: ['own-bank', 'city-centre'] }));
    await drain(first);
    await first.leave();
    const again = await open();
    await find(makeHit({ transaction: 'T3', severity: 'critical', score: 1 }));
    await drain(again);
    const told = (await eventsOn(parts.log, 'warnings')).map(({ data }) => data as Warning);
    expect(told.map(({ revision, audience, suspected }) => [revision, audience, suspected])).toEqual([
      [1, ['enterprise', 'own-bank', 'city-centre'], undefined],
      [2, ['own-bank', 'city-centre'], true],
      [3, ['own-bank', 'city-centre'], true],
    ]);
    expect(await stored(makeHit({}))).toEqual(told[2]);
  });

  test('two hits on one transaction, batches and a restart apart, count its amount once', async () => {
    const first = await open();
    await find(makeHit({ pattern: 'V01' }));
    await drain(first);
    await first.leave();
    const second = await open();
    await find(makeHit({ pattern: 'V12' }));
    await drain(second);
    expect(await stored(makeHit({}))).toMatchObject({ hitCount: 2, amountFen: 5_000_000, revision: 2 });
  });
});

describe('what is sent again is dropped', () => {
  test('a frame of a sequence already taken is not looked at', async () => {
    const warn = await open();
    await find(makeHit({ transaction: 'T1' }));
    sequence--;
    await find(makeHit({ transaction: 'never sent under this sequence' }));
    await drain(warn);
    expect(await stored(makeHit({}))).toMatchObject({ hitCount: 1, revision: 1 });
  });

  test('the same hit under a new sequence changes nothing', async () => {
    const warn = await open();
    await find(makeHit({}));
    await drain(warn);
    await find(makeHit({}));
    await drain(warn);
    expect(await stored(makeHit({}))).toMatchObject({ hitCount: 1, revision: 1 });
    expect(await eventsOn(parts.log, 'warnings')).toHaveLength(1);
  });

  test('a warning that was stored but not told is told by the next owner', async () => {
    const faulty = withFault(parts.log, parts.state, { point: 'append of warnings', number: 0, mode: 'before' });
    const first = await open(faulty);
    await find(makeHit({}));
    await expect(first.done).rejects.toThrow('before append of warnings');
    expect(await eventsOn(parts.log, 'warnings')).toEqual([]);
    await drain(await open());
    const told = await eventsOn(parts.log, 'warnings');
    expect(told.map(({ data }) => data)).toEqual([await stored(makeHit({}))]);
  });

  test('of two owners the second to write gives the partition up, and goes on from where the other was', async () => {
    const warn = await open();
    await find(makeHit({ transaction: 'T1' }));
    await drain(warn);
    const other = temporaryEmbedded();
    try {
      // The same store through another log: an owner that does not know of the first one.
      const usurper = await createWarn({ ...options(), log: other.log });
      await usurper.leave();
    } finally {
      await other.remove();
    }
    await find(makeHit({ transaction: 'T2' }));
    await drain(warn);
    expect(parts.troubles.map(({ error }) => error instanceof OwnershipLost)).toEqual([true]);
    expect(await stored(makeHit({}))).toMatchObject({ revision: 2, hitCount: 2 });
  });

  test('an owner that was replaced while it waited for commands gives the partition up as well', async () => {
    const warn = await open();
    await find(makeHit({ transaction: 'T1' }));
    await drain(warn);
    const other = temporaryEmbedded();
    try {
      const usurper = await createWarn({ ...options(), log: other.log });
      await usurper.leave();
    } finally {
      await other.remove();
    }
    const commands = createWarningCommands({ ...options(), partitions: testPartitions.hits });
    await commands.command(warningIdOf(makeHit({})), { kind: 'acknowledge' }, 'someone');
    await drain(warn);
    expect(parts.troubles.map(({ error }) => error instanceof OwnershipLost)).toEqual([true]);
    expect(await stored(makeHit({}))).toMatchObject({ revision: 2, status: 'acknowledged' });
  });
});

describe('people answer', () => {
  test('an officer acknowledges after a receiver has: the note is stored and told', async () => {
    const warn = await open();
    const hit = makeHit({});
    await find(hit);
    await drain(warn);
    const id = warningIdOf(hit);
    for (const by of ['ACME', '样例银行']) await answerAsReceiver(hit, by);
    await drain(warn);
    expect(await stored(hit)).toMatchObject({ status: 'acknowledged', revision: 2 });
    const answer = await openCommands().command(id, { kind: 'acknowledge', note: '已致电' }, '王警官');
    expect(answer).toMatchObject({
      kind: 'accepted',
      warning: { revision: 3, acknowledgedAgain: [{ by: '王警官', note: '已致电' }] },
    });
    await drain(warn);
    expect(await stored(hit)).toMatchObject({ revision: 3, acknowledgedAgain: [{ by: '王警官', note: '已致电' }] });
  });

  test('what nobody has answered is found page by page in every partition, and nothing else', async () => {
    const warn = await open();
    const hits = Array.from({ length: 7 }, (_, i) =>
      makeHit({ payer: { ...makeHit({}).payer, creditCode: `9141010000000000${i}` } }),
    );
    for (const hit of hits) await find(hit);
    await drain(warn);
    await openCommands().command(warningIdOf(hits[2]!), { kind: 'acknowledge' }, '王警官');
    await drain(warn);
    const reader = createWarningsReader({ state: parts.state, partitions: 2 });
    for (const limit of [1, 3, 500]) {
      const found: string[] = [];
      let next: string | null | undefined;
      do {
        const page = await reader.open({ after: next ?? undefined, limit });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items.map(({ id }) => id));
        next = page.next;
      } while (next !== null);
      expect(found.sort()).toEqual(
        hits
          .filter((_, i) => i !== 2)
          .map(warningIdOf)
          .sort(),
      );
    }
    for (const after of ['9.x', 'x', '0_1']) await expect(reader.open({ after, limit: 1 })).rejects.toThrow('cursor');
  });

  test('acknowledged, disposed of and appealed against, each in its own revision', async () => {
    const warn = await open();
    const hit = makeHit({});
    await find(hit);
    await drain(warn);
    const commands = openCommands();
    const id = warningIdOf(hit);
    expect(await commands.command(id, { kind: 'acknowledge', note: '已致电' }, '王警官')).toMatchObject({
      kind: 'accepted',
      warning: { status: 'acknowledged' },
    });
    await drain(warn);
    expect(await stored(hit)).toMatchObject({ status: 'acknowledged', acknowledgedBy: '王警官', note: '已致电', revision: 2 });
    await commands.command(id, { kind: 'appeal', text: '正常付款' }, '样例公司');
    await drain(warn);
    await commands.command(id, { kind: 'dispose', verdict: 'false-alarm', note: '核实无误' }, '王警官');
    await drain(warn);
    expect(await stored(hit)).toMatchObject({
      status: 'disposed',
      verdict: 'false-alarm',
      appeal: { by: '样例公司' },
      revision: 4,
    });
    const told = await eventsOn(parts.log, 'warnings');
    expect(told.map(({ type }) => type)).toEqual(['warning.raised', 'warning.updated', 'warning.updated', 'warning.updated']);
    expect(await commands.command(id, { kind: 'acknowledge' }, '王警官')).toMatchObject({ kind: 'conflict' });
  });

  test('found tricked, a mule’s enterprise is told from then on', async () => {
    const warn = await open();
    const hit = makeHit({ side: 'mule', audience: ['own-bank'] });
    await find(hit);
    await drain(warn);
    await openCommands().command(warningIdOf(hit), { kind: 'dispose', verdict: 'tricked', note: '被利用' }, '王警官');
    await drain(warn);
    expect((await stored(hit))?.audience).toEqual(['enterprise', 'own-bank']);
  });

  test('the same word twice changes the warning once', async () => {
    const warn = await open();
    const hit = makeHit({});
    await find(hit);
    await drain(warn);
    const commands = openCommands();
    await Promise.all([1, 2].map(() => commands.command(warningIdOf(hit), { kind: 'acknowledge' }, '王警官', 'key-1')));
    await drain(warn);
    expect((await stored(hit))?.revision).toBe(2);
    expect(new Set((await eventsOn(parts.log, 'commands')).map(({ id }) => id)).size).toBe(1);
  });

  test.each([
    ['device', 64],
    ['operator', 64],
    ['legal-rep', 64],
    ['address', 200],
  ] as const)('a word about enterprises that share the longest %s is obeyed, whoever says it', async (kind, characters) => {
    const warn = await open();
    const hit = makeHit({ subject: { kind, id: 'x'.repeat(characters) } });
    await find(hit);
    await drain(warn);
    const by = `${'k'.repeat(120)}/${'王'.repeat(64)}`;
    await openCommands().command(warningIdOf(hit), { kind: 'dispose', verdict: 'fraud', note: '核实' }, by);
    await drain(warn);
    expect(await stored(hit)).toMatchObject({ status: 'disposed', verdict: 'fraud', acknowledgedBy: by });
  });

  test('a word that its reader would not know is not answered as accepted', async () => {
    const warn = await open();
    await find(makeHit({}));
    await drain(warn);
    await expect(openCommands().command(warningIdOf(makeHit({})), { kind: 'acknowledge' }, 'k'.repeat(257))).rejects.toThrow(
      'expected string to have <=256 characters',
    );
    expect(await eventsOn(parts.log, 'commands')).toEqual([]);
  });

  test('a word of a shape that is not known is passed over, and told to whoever runs the platform', async () => {
    const unread: unknown[] = [];
    const telemetry = {
      warningRaised: () => undefined,
      warningUpdated: () => undefined,
      consumerFailed: () => undefined,
      warningCommandUnread: (fact: unknown) => void unread.push(fact),
    };
    const warn = await createWarn({ ...options(), telemetry });
    members.push(warn);
    const hit = makeHit({});
    await find(hit);
    const event = { id: 'e', type: 'warning.dispose', source: 's', subject: 'w', time: '2026-07-01T10:00:00+08:00' };
    const about = { warningId: warningIdOf(hit), subjectKey: subjectKeyOf(hit), by: '王警官' };
    const events = [
      { ...event, data: { ...about, verdict: 'of a later release' } },
      { ...event, id: 'f', type: 'something.else', data: 5 },
    ];
    const value = encodeEvents({ producer: 'p', sequence: 0, events });
    await parts.log.append([{ topic: 'commands', partition: partitionOfHit(hit), value }]);
    await drain(warn);
    expect(await stored(hit)).toMatchObject({ status: 'open' });
    expect(unread).toEqual([{ partition: partitionOfHit(hit), type: 'warning.dispose', warning: 'w', field: 'data.verdict' }]);
  });

  test('a word about a warning that nobody knows is told so, and one on the log does no harm', async () => {
    const warn = await open();
    expect(await openCommands().command('no such', { kind: 'acknowledge' }, '王警官')).toEqual({ kind: 'not-found' });
    const data = { warningId: 'no such', subjectKey: 'k', by: 'x' };
    const event = {
      id: 'e',
      type: 'warning.acknowledge',
      source: 's',
      subject: 'no such',
      time: '2026-07-01T10:00:00+08:00',
      data,
    };
    const other = { ...event, id: 'f', type: 'something.else', data: 5 };
    await parts.log.append([
      { topic: 'commands', partition: 0, value: encodeEvents({ producer: 'p', sequence: 0, events: [event, other] }) },
    ]);
    await find(makeHit({}));
    await drain(warn);
    expect((await stored(makeHit({})))?.revision).toBe(1);
  });
});

describe('bounds', () => {
  test('warnings long without a change leave the store step by step; a busy one stays', async () => {
    const old = makeHit({ family: 'old' });
    const busy = makeHit({ family: 'busy' });
    const warn = await open();
    await find(old, busy);
    await drain(warn);
    const keys = async () =>
      (await parts.state.scan(`warn/${partitionOfHit(old)}`, { prefix: '', limit: 100 })).map(({ key }) => key.slice(0, 1));
    for (const days of [30, 36, 37]) {
      nowMs = Date.parse('2026-07-01T10:00:00+08:00') + days * 86_400_000;
      await find(makeHit({ family: 'busy', transaction: `T${days}` }));
      await drain(warn);
    }
    // The old one's transactions are gone, the warning is still there.
    expect((await keys()).filter((kind) => kind === 't')).toHaveLength(4);
    expect(await stored(old)).not.toBeNull();
    nowMs += 200 * 86_400_000;
    await find(makeHit({ family: 'busy', transaction: 'later' }));
    await drain(warn);
    await find(makeHit({ family: 'busy', transaction: 'later still' }));
    await drain(warn);
    expect(await stored(old)).toBeNull();
    expect(await stored(busy)).toMatchObject({ hitCount: 6 });
  });

  test('hits and commands must have the same number of partitions', async () => {
    const uneven = temporaryEmbedded({ ...testPartitions, commands: 3 });
    try {
      await expect(createWarn({ ...options(), ...uneven })).rejects.toThrow(/hits has 2 partitions and commands 3/);
    } finally {
      await uneven.remove();
    }
  });
});

function options(on: Pick<typeof parts, 'log' | 'state'> = parts) {
  return { log: on.log, state: on.state, policy: shippedPolicy, clock: { now: () => nowMs }, newId: randomUUID };
}

async function open(on: Pick<typeof parts, 'log' | 'state'> = parts): Promise<Membership> {
  const member = await createWarn(options(on));
  members.push(member);
  return member;
}

function openCommands() {
  return createWarningCommands({ ...options(), partitions: 2 });
}

function partitionOfHit(hit: Hit): number {
  return partitionOf(subjectKeyOf(hit), 2);
}

/** Puts hits on the log as the scorer does; all go to one partition here. */
async function find(...hits: readonly Hit[]): Promise<void> {
  const events = hits.map((hit) => ({
    id: hit.id,
    type: 'hit.found',
    source: 'test',
    subject: hit.transaction,
    time: hit.time,
    data: hit,
  }));
  const value = encodeEvents({ producer: 'score/0', sequence: ++sequence, events });
  await parts.log.append([{ topic: 'hits', partition: partitionOfHit(hits[0]!), value }]);
}

/** As dispatch does where the answer to a webhook holds a disposition. */
async function answerAsReceiver(hit: Hit, by: string): Promise<void> {
  const [id, subjectKey] = [warningIdOf(hit), subjectKeyOf(hit)];
  const data = { warningId: id, subjectKey, by };
  const time = '2026-07-01T10:00:00+08:00';
  const event = { id: by, type: 'warning.acknowledge', source: 'huqi/dispatch/0', subject: id, time, data };
  const value = encodeEvents({ producer: `answer/${by}`, sequence: 0, events: [event] });
  await parts.log.append([{ topic: 'commands', partition: partitionOfHit(hit), value }]);
}

async function drain(member: Membership): Promise<void> {
  const failed = member.done.then(() => {
    throw new Error('the member has left');
  });
  failed.catch(() => undefined);
  while ((await Promise.race([member.lag(), failed])) > 0) await wait(2);
}

function stored(hit: Hit): Promise<Warning | null> {
  return createWarningsReader({ state: parts.state, partitions: 2 }).get(warningIdOf(hit));
}
