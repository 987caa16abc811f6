import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { journalEntryPrefix, journalSlot, openJournal, type Journal } from '../../src/pipeline/journal.js';
import { temporaryEmbedded } from '../support/embedded.js';

let parts: ReturnType<typeof temporaryEmbedded>;
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

/** Sequences of the entries that the store holds. */
async function kept(): Promise<number[]> {
  const entries = await parts.state.scan(journalSlot(0), { prefix: journalEntryPrefix, limit: 10_000 });
  return entries.map(({ key }) => Number(key.slice(journalEntryPrefix.length)));
}

async function append(journal: Journal, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await journal.append({ from: i, upTo: i + 1, patternSetId: 'set' }, []);
}

test('the latest 1,024 entries are kept and few before them, whoever writes on', async () => {
  await append(await openJournal(parts, 0, randomUUID), 1_080);
  expect(await kept()).toEqual(range(1, 1_080));
  await append(await openJournal(parts, 0, randomUUID), 20);
  expect(await kept()).toEqual(range(65, 1_100));
  const journal = await openJournal(parts, 0, randomUUID);
  for (let more = 0; more < 4; more++) {
    await append(journal, 50);
    const [first, last] = [(await kept())[0]!, (await kept()).at(-1)!];
    expect(await kept()).toEqual(range(first, last));
    expect(last).toBe(1_150 + more * 50);
    expect(last - first).toBeGreaterThanOrEqual(1_024);
    expect(last - first).toBeLessThan(1_024 + 64);
  }
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
