import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeEvents } from '../../src/domain/event.js';
import type { Hit } from '../../src/domain/hit.js';
import { eventRows } from '../../src/pipeline/event-rows.js';
import { outputRecords } from '../../src/pipeline/score-outputs.js';
import { createWarn } from '../../src/pipeline/warn.js';
import { eventsOn, temporaryEmbedded } from '../support/embedded.js';
import { makeHit } from '../support/hits.js';
import { shippedPolicy } from '../support/pipeline.js';

let parts: ReturnType<typeof temporaryEmbedded>;
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

const outputs = (offset: number, hits: readonly Hit[]) =>
  outputRecords({
    partition: 0,
    timeMs: 0,
    outputs: [{ offset, hits, quarantined: [], told: [] }],
    partitions: 1,
    hitPartitions: 1,
    rejectedPartitions: 1,
  });

test('a hit on trial leaves as an event of its own type, and is archived like any other', () => {
  const hits = [makeHit({ transaction: 'T1' }), makeHit({ transaction: 'T2', state: 'shadow' })];
  const records = outputs(1, hits);
  expect(records.flatMap(({ value }) => decodeEvents(value).events).map(({ type, subject }) => [subject, type])).toEqual([
    ['T1', 'hit.found'],
    ['T2', 'hit.shadow'],
  ]);
  expect(records.flatMap(({ value }) => eventRows('hits', value))).toMatchObject([
    { transaction: 'T1', state: 'active' },
    { transaction: 'T2', state: 'shadow' },
  ]);
});

test('who warns takes no event of that type, whatever state the hit in it names', async () => {
  const warn = await createWarn({ ...parts, policy: shippedPolicy, clock: Date, newId: randomUUID });
  try {
    const asFound = outputs(1, [makeHit({ transaction: 'T1' })]);
    const asShadow = asFound.map((record) => {
      const text = Buffer.from(record.value).toString().replace('"hit.found"', '"hit.shadow"');
      expect(text).toContain('"state":"active"');
      return { ...record, value: Buffer.from(text) };
    });
    await parts.log.append(asShadow);
    while ((await warn.lag()) > 0) await wait(2);
    expect(await eventsOn(parts.log, 'warnings')).toEqual([]);
    await parts.log.append(outputs(2, [makeHit({ transaction: 'T2' })]));
    while ((await eventsOn(parts.log, 'warnings')).length === 0) await wait(2);
    expect(await eventsOn(parts.log, 'warnings')).toMatchObject([{ data: { hitCount: 1 } }]);
  } finally {
    await warn.leave();
  }
});
