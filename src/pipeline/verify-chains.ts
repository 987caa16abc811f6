import { z } from 'zod';
import { archivedTopics, type Log, type Topic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { archiveSlot } from './archive-positions.js';
import { decodeJson } from './checkpoint.js';
import { journalSlot } from './journal.js';
import { ownedHeadKey } from './owned-slot.js';
import { readJournal } from './verify-replay.js';
import { eachRecord, placeOf, producerOf, readEvents } from './verify-scan.js';
import { createTally, type Finding, type Tally } from './verify-tally.js';
import { warnSlot } from './warn-partition.js';

/**
 * The records that the parts keep about themselves: journals whose entries follow one another without a hole, positions that lie
 * on the log, and producers whose numbers count up without a gap to where their slot stands.
 */
export interface VerifyChainsOptions {
  readonly log: Log;
  readonly state: State;
  /** Partitions of `transactions`. */
  readonly partitions: readonly number[];
}

export async function verifyChains(options: VerifyChainsOptions): Promise<Finding[]> {
  const { log } = options;
  const findings: Finding[] = [];
  for (const partition of options.partitions) findings.push(await verifyJournal(options, partition));
  for (let at = 0; at < log.partitions('hits'); at++)
    findings.push(await verifySlot(options, { slot: warnSlot(at), reads: ['hits', at], position: 'hits', emits: 'warnings' }));
  for (let at = 0; at < log.partitions('warnings'); at++)
    findings.push(
      await verifySlot(options, { slot: `dispatch/${at}`, reads: ['warnings', at], position: 'next', emits: 'deliveries' }),
    );
  for (const topic of archivedTopics) {
    for (let at = 0; at < log.partitions(topic); at++)
      findings.push(await verifySlot(options, { slot: archiveSlot(topic, at), reads: [topic, at], position: 'position' }));
  }
  return findings;
}

/** Each entry follows the one before it by number, by place and by name; the head is the last of them, or a take-over of it. */
async function verifyJournal({ log, state }: VerifyChainsOptions, partition: number): Promise<Finding> {
  const slot = journalSlot(partition);
  const tally = createTally('chains', slot);
  const journal = await readJournal(state, partition);
  if (!journal) return tally.finding();
  const { head, entries } = journal;
  const links = createLinks(tally, slot);
  for (const [i, entry] of entries.entries()) {
    const before = entries[i - 1];
    const follows =
      !before || (entry.sequence === before.sequence + 1 && entry.from === before.upTo && entry.before === before.batch);
    links(`entry ${entry.sequence}`, follows && entry.upTo > entry.from);
  }
  const last = entries.at(-1);
  links('head', last !== undefined && last.sequence === head.sequence && last.batch === head.batch && last.upTo === head.upTo);
  const { first, next } = await log.bounds('transactions', partition);
  links('position', head.upTo <= next && (first === 0 || head.upTo >= first));
  return tally.finding();
}

interface SlotShape {
  readonly slot: string;
  readonly reads: readonly [Topic, number];
  /** The field of its head that says how far it has read. */
  readonly position: string;
  readonly emits?: Topic;
}

const headSchema = z.object({ sequence: z.int().min(0), data: z.record(z.string(), z.unknown()) });

async function verifySlot({ log, state }: VerifyChainsOptions, shape: SlotShape): Promise<Finding> {
  const { slot, reads, emits } = shape;
  const tally = createTally('chains', slot);
  const [value] = await state.get(slot, [ownedHeadKey]);
  if (!value) return tally.finding();
  const links = createLinks(tally, slot);
  const { sequence, data } = headSchema.parse(decodeJson(value));
  const position = data[shape.position];
  const { next } = await log.bounds(...reads);
  links('position', position === null || (typeof position === 'number' && position <= next));
  if (emits) await verifyNumbers({ log, state }, { slot, emits, sequence }, tally);
  return tally.finding();
}

/** Every number up to the slot's own has a frame on the log: those in the outbox may be about to come. */
async function verifyNumbers(
  { log, state }: Pick<VerifyChainsOptions, 'log' | 'state'>,
  { slot, emits, sequence }: { readonly slot: string; readonly emits: Topic; readonly sequence: number },
  tally: Tally,
): Promise<void> {
  const seen = createNumberSet();
  let isTrimmed = false;
  for (let at = 0; at < log.partitions(emits); at++) {
    isTrimmed ||= (await log.bounds(emits, at)).first > 0;
    await eachRecord(log, emits, at, {}, (record, offset) => {
      if ((producerOf(record) ?? slot) !== slot) return;
      const frame = readEvents(emits, at, offset, record);
      if (frame.producer === slot) seen.add(frame.sequence);
    });
  }
  const waiting = await state.scan(slot, { prefix: 'outbox/', limit: 1_000 });
  const unsent = new Set(waiting.map(({ key }) => Number(key.slice('outbox/'.length))));
  // Read before the log was: what was committed meanwhile has higher numbers.
  for (let number = isTrimmed ? seen.lowest() : 1; number <= sequence; number++) {
    if (seen.has(number)) tally.equal();
    else if (unsent.has(number)) tally.pending();
    else tally.differs({ kind: 'missing', id: `${slot}#${number}`, at: placeOf(emits, 0).replace('/0', '') });
  }
}

function createLinks(tally: Tally, at: string): (id: string, holds: boolean) => void {
  return (id, holds) => (holds ? tally.equal() : tally.differs({ kind: 'different', id, at }));
}

/** A bit a number. */
function createNumberSet() {
  let bits = new Uint8Array(1024);
  let least = Infinity;
  return {
    add(number: number): void {
      const at = number >>> 3;
      if (at >= bits.length) {
        const larger = new Uint8Array(Math.max(bits.length * 2, at + 1));
        larger.set(bits);
        bits = larger;
      }
      bits[at] = bits[at]! | (1 << (number & 7));
      least = Math.min(least, number);
    },
    has: (number: number): boolean => (((bits[number >>> 3] ?? 0) >> (number & 7)) & 1) === 1,
    lowest: (): number => least,
  };
}
