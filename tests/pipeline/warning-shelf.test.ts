import { afterEach, beforeEach, expect, test } from 'vitest';
import { dayMs } from '../../src/domain/bank-day.js';
import { absorbHit } from '../../src/domain/warning-facts.js';
import { createWarningShelf } from '../../src/pipeline/warning-shelf.js';
import type { StateEntry } from '../../src/ports/state.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { makeHit } from '../support/hits.js';
import { shippedPolicy as policy } from '../support/pipeline.js';

const slot = 'warn/0';
const settings = { closeAfterDays: 2, keepDays: 5 };
const startMs = Date.parse('2026-07-01T10:00:00+08:00');

let parts: ReturnType<typeof temporaryEmbedded>;
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

async function keys(prefix: string): Promise<number> {
  return (await parts.state.scan(slot, { prefix, limit: 10_000 })).length;
}

/** Without the checkpoints of whoever owns the slot: only what the shelf asks for is written. */
async function write(changes: { put: StateEntry[]; delete: string[] }): Promise<void> {
  await parts.state.commit(slot, changes);
}

test('a busy day is closed and removed in as many sweeps as its size needs, not in as many as it has warnings', async () => {
  const shelf = createWarningShelf({ ...parts, slot, settings });
  const warnings = 1_200;
  for (let n = 0; n < warnings; n++) {
    const hit = makeHit({ transaction: `T${n}`, payer: { account: `4100${n}` } });
    const absorbed = absorbHit(null, hit, [], policy);
    if (absorbed.outcome !== 'absorbed') throw new Error('a first hit is absorbed');
    const { facts } = absorbed;
    const find = await shelf.load([{ warningId: facts.id, transaction: hit.transaction }]);
    const entry = find(facts.id);
    entry.facts = facts;
    entry.seen.set(hit.transaction, [hit.id]);
    entry.changed.add(hit.transaction);
    await write(shelf.changesFor(entry, null, startMs));
  }
  expect([await keys('w/'), await keys('t/'), await keys('d/')]).toEqual([warnings, warnings, warnings]);

  await write(await shelf.sweep(startMs + 2 * dayMs));
  expect(await keys('t/')).toBe(warnings);
  for (let sweep = 0; sweep < 3; sweep++) await write(await shelf.sweep(startMs + 3 * dayMs));
  expect([await keys('w/'), await keys('t/'), await keys('d/'), await keys('g/')]).toEqual([warnings, 0, 0, warnings]);
  for (let sweep = 0; sweep < 3; sweep++) await write(await shelf.sweep(startMs + 6 * dayMs));
  expect([await keys('w/'), await keys('g/')]).toEqual([0, 0]);
});
