import { parentPort, workerData } from 'node:worker_threads';
import { createCalendar } from '../domain/calendar.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { createFrameViews } from './frame-views.js';
import {
  type MemoryAnswer,
  type MemoryCall,
  type MemoryCalls,
  type MemoryFault,
  type MemoryOrder,
  type MemoryWorkerData,
  packOutputs,
  type PackedRecords,
  type SetInWords,
  unpackRecords,
} from './memory-messages.js';
import { createMeteredMemories } from './metered-memories.js';
import { compileNamed } from './pattern-store.js';
import { BatchFault, type PartitionMemory, type Restoring } from './score-memory.js';
import type { Chunks } from './snapshot-packing.js';

/** The thread that scores partitions: each memory is asked for one thing after the other, several memories at the same time. */

const { calendar } = workerData as MemoryWorkerData;
const workingDays = createCalendar(calendar, { unknownYears: 'weekends' });
/** Whatever comes with a batch is taken while it is scored. */
const frameViews = createFrameViews(Infinity);
const { openMemory, read } = createMeteredMemories({ clock: Date, frameViews });

interface Held {
  readonly memory: PartitionMemory<PatternSet>;
  chunks?: Chunks;
  restoring?: Restoring;
}
const held = new Map<number, Held>();
const setsMax = 8;
const sets = new Map<string, PatternSet>();

function setOf({ id, sources }: SetInWords): PatternSet {
  const known = sets.get(id);
  if (known) return known;
  const set = compileNamed(id, sources, workingDays);
  sets.set(id, set);
  for (const old of sets.keys()) if (sets.size > setsMax) sets.delete(old);
  return set;
}

function heldOf(number: number): Held {
  const found = held.get(number);
  if (!found) throw new RangeError(`there is no memory ${number} on this thread`);
  return found;
}

function recordsOf(packed: PackedRecords) {
  for (const [name, known] of packed.known) frameViews.put(name, known);
  return unpackRecords(packed);
}

interface Reply<Call extends MemoryCall> {
  readonly value: MemoryCalls[Call]['answer'];
  /** What of it goes over and is not copied. */
  readonly over?: readonly ArrayBuffer[];
}

type Calls = { readonly [Call in MemoryCall]: (ask: MemoryCalls[Call]['ask']) => Promise<Reply<Call>> | Reply<Call> };

const calls: Calls = {
  prepare({ set }) {
    setOf(set);
    return { value: null };
  },
  async open({ memory, set, place }) {
    held.set(memory, { memory: await openMemory(setOf(set), place) });
    return { value: null };
  },
  async score({ memory, records, how }) {
    const { outputs: scored, ...rest } = await heldOf(memory).memory.score(recordsOf(records), how);
    const outputs = packOutputs(scored);
    const { room } = records;
    return { value: { ...rest, outputs, room }, over: [outputs.bytes.buffer, room.buffer] };
  },
  async warm({ memory, records, how }) {
    const legs = await heldOf(memory).memory.warm(recordsOf(records), how);
    const { room } = records;
    return { value: { legs, room }, over: [room.buffer] };
  },
  adopt: async ({ memory, set }) => ({ value: await heldOf(memory).memory.adopt(setOf(set)) }),
  async copy({ memory }) {
    const of = heldOf(memory);
    const copy = await of.memory.copy();
    if (!copy) return { value: null };
    of.chunks = copy.chunks();
    return { value: { marks: copy.marks } };
  },
  async chunk({ memory }) {
    const of = heldOf(memory);
    const next = await of.chunks?.next();
    if (next && !next.done) {
      // What the library packed into is not ours to give away.
      const bytes = new Uint8Array(next.value.bytes);
      return { value: { ...next.value, bytes }, over: [bytes.buffer] };
    }
    return { value: null };
  },
  drop({ memory }) {
    delete held.get(memory)?.chunks;
    return { value: null };
  },
  async restore({ memory, stored }) {
    const of = heldOf(memory);
    of.restoring ??= of.memory.restore();
    await of.restoring.take(stored);
    return { value: null };
  },
  async restored({ memory, marks }) {
    const of = heldOf(memory);
    of.restoring ??= of.memory.restore();
    await of.restoring.end(marks);
    delete of.restoring;
    return { value: null };
  },
  close({ memory }) {
    held.get(memory)?.memory.close();
    held.delete(memory);
    return { value: null };
  },
  read: async () => ({ value: await read() }),
};

function faultOf(error: unknown): MemoryFault {
  const { name, message, stack } = error instanceof Error ? error : new Error('scoring failed', { cause: error });
  return { name, message, stack, isOfBatch: error instanceof BatchFault };
}

async function take({ number, call, ask }: MemoryOrder): Promise<void> {
  const answer = (value: MemoryAnswer, over: readonly ArrayBuffer[] = []): void => parentPort!.postMessage(value, over);
  try {
    const { value, over } = await (calls[call] as (asked: typeof ask) => Promise<Reply<MemoryCall>>)(ask);
    answer({ number, value }, over);
  } catch (error) {
    answer({ number, fault: faultOf(error) });
  }
}

parentPort!.on('message', (order: MemoryOrder) => void take(order));
