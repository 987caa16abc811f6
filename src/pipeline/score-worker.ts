import { parentPort, workerData } from 'node:worker_threads';
import { createCalendar } from '../domain/calendar.js';
import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { batchMost, createBatch } from '../scoring/batch.js';
import { compilePatternSet } from '../scoring/pattern-set.js';
import { createFileEngines } from './file-engines.js';
import { describeProblem } from './pattern-store.js';
import { openSlot, takeRecord, type ScoreAnswer, type ScoreOrder, type ScoreWorkerData, type SlotOrder } from './score-slots.js';

/** The thread that scores: takes slots in their order, answers each with its hits. */

const { sources, calendar, partitions, slots } = workerData as ScoreWorkerData;
const compiled = compilePatternSet(sources, createCalendar(calendar, { unknownYears: 'weekends' }));
if (compiled.kind === 'broken') throw new Error(compiled.problems.map(describeProblem).join('; '));
const engines = createFileEngines(compiled.set, partitions);
const opened = slots.map(openSlot);
const batch = createBatch();
batch.roles.fill(role.debit | role.credit);

const answer = (value: ScoreAnswer): void => parentPort!.postMessage(value);

parentPort!.on('message', (order: ScoreOrder) => {
  switch (order.kind) {
    case 'slot':
      answer({ kind: 'scored', slot: order.slot, hits: scoreSlot(order) });
      return;
    case 'stats':
      answer({ kind: 'stats', stats: engines.stats() });
      return;
  }
});
answer({ kind: 'ready' });

function scoreSlot({ slot: number, records, warmRecords, extras, references }: SlotOrder): Hit[] {
  const hits: Hit[] = [];
  const slot = opened[number]!;
  let done = 0;
  for (const { before, isWarm, reference } of references) {
    scoreRecords(done, before);
    done = before;
    engines.takeReference(reference, isWarm ? null : hits);
  }
  scoreRecords(done, records);
  return hits;

  function scoreRecords(from: number, to: number): void {
    const warmTo = Math.min(to, Math.max(from, warmRecords));
    scoreSome(from, warmTo, null);
    scoreSome(warmTo, to, hits);
  }

  function scoreSome(from: number, to: number, into: Hit[] | null): void {
    for (let i = from; i < to; i += batchMost) {
      batch.count = Math.min(batchMost, to - i);
      for (let k = 0; k < batch.count; k++) takeRecord(slot, i + k, batch.views[k]!, slot.bytes, extras);
      engines.scoreBatch(batch, into);
    }
  }
}
