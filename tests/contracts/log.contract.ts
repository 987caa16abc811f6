import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  OffsetOutOfRange,
  OwnershipLost,
  topics,
  type Log,
  type LogBatch,
  type LogTrouble,
  type PartitionProcessor,
  type Topic,
} from '../../src/ports/log.js';
import { Unavailable } from '../../src/ports/unavailable.js';
import { startChild, type Opener } from './child-process.js';

export interface LogUnderTest {
  readonly log: Log;
  /** True where an append over several partitions is kept whole or not at all. */
  readonly atomic: boolean;
  /** What the log's `onTrouble` was told. */
  readonly troubles: readonly LogTrouble[];
  /** Opens the same log in another process. */
  readonly opener: Opener;
  close(): Promise<void>;
}

export const contractPartitions = Object.fromEntries(topics.map((topic) => [topic, 4])) as Record<Topic, number>;

const limit = { recordsMax: 100, bytesMax: 1_000_000 };
const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array) => Buffer.from(value).toString();
const texts = (batch: LogBatch) => batch.records.map(({ value }) => text(value));

/** The log port's promises. `make` gives an empty log with `contractPartitions`. */
export function describeLogContract(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`log: ${name}`, () => {
    let made: LogUnderTest;
    let log: Log;
    beforeEach(async () => {
      made = await make();
      log = made.log;
    });
    afterEach(() => made.close());

    const append = (partition: number, ...values: string[]) =>
      log.append(values.map((value) => ({ topic: 'hits' as const, partition, value: bytes(value) })));

    async function readAll(topic: Topic, partition: number): Promise<string[]> {
      let { first: next } = await log.bounds(topic, partition);
      const all: string[] = [];
      for (;;) {
        const batch = await log.read(topic, partition, next, limit);
        if (batch.records.length === 0) return all;
        all.push(...texts(batch));
        next = batch.next;
      }
    }

    describe('append and read', () => {
      it('keeps the order of one call within a partition, and the partitions apart', async () => {
        await log.append(['a', 'b', 'c', 'd'].map((value, i) => ({ topic: 'hits', partition: i % 2, value: bytes(value) })));
        expect(await readAll('hits', 0)).toEqual(['a', 'c']);
        expect(await readAll('hits', 1)).toEqual(['b', 'd']);
        expect(await readAll('warnings', 0)).toEqual([]);
      });

      it('gives growing offsets, and the same record at an offset every time', async () => {
        await append(0, 'a', 'b');
        const early = await log.read('hits', 0, 0, limit);
        await append(0, 'c');
        const late = await log.read('hits', 0, 0, limit);
        expect(late.records.slice(0, 2)).toEqual(early.records);
        const offsets = late.records.map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
      });

      it('reads in order and nothing twice, and at the end gives nothing and the same position', async () => {
        await append(0, ...Array.from({ length: 250 }, (_, i) => `${i}`));
        expect(await readAll('hits', 0)).toEqual(Array.from({ length: 250 }, (_, i) => `${i}`));
        const { next } = await log.bounds('hits', 0);
        expect(await log.read('hits', 0, next, limit)).toEqual({ records: [], next });
      });

      it('returns every byte as it was written, the empty record and a record of 8 MB too', async () => {
        const large = Buffer.alloc(8_000_000, 0xa5);
        const every = Uint8Array.from({ length: 256 }, (_, i) => i);
        await log.append([every, new Uint8Array(0), large].map((value) => ({ topic: 'hits', partition: 2, value })));
        const { records } = await log.read('hits', 2, 0, { recordsMax: 10, bytesMax: 20_000_000 });
        expect(records.map(({ value }) => value.length)).toEqual([256, 0, 8_000_000]);
        expect(records.map(({ value }, i) => Buffer.compare(value, [every, new Uint8Array(0), large][i]!))).toEqual([0, 0, 0]);
      });

      it('stops a batch at the limit of records and of bytes, but always gives at least one record', async () => {
        await append(0, 'x'.repeat(60), 'y'.repeat(60), 'z'.repeat(60));
        expect((await log.read('hits', 0, 0, { recordsMax: 2, bytesMax: 1_000 })).records).toHaveLength(2);
        expect((await log.read('hits', 0, 0, { recordsMax: 9, bytesMax: 120 })).records).toHaveLength(2);
        expect((await log.read('hits', 0, 0, { recordsMax: 9, bytesMax: 10 })).records).toHaveLength(1);
      });

      it('leaves a batch that was read unchanged by what is read and appended later', async () => {
        await append(0, 'a'.repeat(50_000), 'b'.repeat(10));
        const batch = await log.read('hits', 0, 0, limit);
        await append(0, 'c'.repeat(50_000));
        await readAll('hits', 0);
        expect(texts(batch)).toEqual(['a'.repeat(50_000), 'b'.repeat(10)]);
      });

      it('keeps the order of concurrent appends of one caller', async () => {
        await Promise.all(Array.from({ length: 200 }, (_, i) => append(0, `${i}`)));
        expect(await readAll('hits', 0)).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
      });

      it('refuses a partition that does not exist, and keeps nothing of that call', async () => {
        const records = [0, 99].map((partition) => ({ topic: 'hits' as const, partition, value: bytes('x') }));
        await expect(log.append(records)).rejects.toThrow(/hits\/99/);
        expect(await readAll('hits', 0)).toEqual([]);
      });

      it('refuses to read beyond the end, since that position belongs to another log', async () => {
        await append(0, 'a');
        await expect(log.read('hits', 0, 50, limit)).rejects.toThrow(/hits\/0.*50/);
      });

      it('says where a partition begins and ends', async () => {
        const before = await log.bounds('hits', 0);
        expect(before.next).toBe(before.first);
        await append(0, 'a', 'b', 'c');
        expect(await log.bounds('hits', 0)).toEqual({ first: before.first, next: before.next + 3 });
      });
    });

    describe('durability', () => {
      it('has everything that was acknowledged to a process that was then killed, in order and once', async () => {
        const child = startChild(made.opener, 'append-forever');
        await child.printed(60);
        await child.kill();
        const acknowledged = new Set(child.lines);
        const [left, right] = [await readAll('transactions', 0), await readAll('transactions', 1)].map((all) =>
          all.map((value) => value.trim()),
        );
        for (const kept of [left!, right!]) {
          expect([...acknowledged].filter((number) => !kept.includes(number))).toEqual([]);
          expect(new Set(kept).size).toBe(kept.length);
        }
        if (made.atomic) expect(left).toEqual(right);
        await log.append([{ topic: 'transactions', partition: 0, value: bytes('after') }]);
        expect((await readAll('transactions', 0)).at(-1)).toBe('after');
      });
    });

    describe('trim', () => {
      it('removes what lies below the offset and nothing else, and offsets go on', async () => {
        await append(0, 'a', 'b', 'c', 'd');
        await log.trim('hits', 0, 2);
        expect(await readAll('hits', 0)).toEqual(['c', 'd']);
        await append(0, 'e');
        expect((await log.read('hits', 0, 2, limit)).records.map(({ offset }) => offset)).toEqual([2, 3, 4]);
      });

      it('refuses a reader that starts below the first kept offset instead of jumping', async () => {
        await append(0, 'a', 'b', 'c');
        await log.trim('hits', 0, 2);
        await expect(log.read('hits', 0, 1, limit)).rejects.toThrow(OffsetOutOfRange);
      });

      it('never removes records at or above the offset, and never goes beyond the end or back', async () => {
        await append(0, 'a', 'b', 'c');
        await log.trim('hits', 0, 2);
        await log.trim('hits', 0, 1);
        expect(await readAll('hits', 0)).toEqual(['c']);
        await log.trim('hits', 0, 1_000);
        expect(await log.bounds('hits', 0)).toEqual({ first: 3, next: 3 });
      });

      it('gets through a long partition in bounded steps', async () => {
        await append(0, ...Array.from({ length: 5_000 }, (_, i) => `${i}`));
        let steps = 0;
        for (; (await log.bounds('hits', 0)).first < 4_990; steps++) {
          if (steps > 100) throw new Error('trim makes no progress');
          await log.trim('hits', 0, 4_990);
        }
        expect((await readAll('hits', 0))[0]).toBe('4990');
      });
    });

    describe('waiting', () => {
      it('is true at once where a record is there already', async () => {
        await append(0, 'a');
        expect(await log.waitFor('hits', 0, 0, 10_000)).toBe(true);
      });

      it('is true soon after a record arrives', async () => {
        const waiting = log.waitFor('hits', 0, 0, 30_000);
        await append(1, 'elsewhere');
        await append(0, 'here');
        expect(await waiting).toBe(true);
      });

      it('is false at the time-out and when it is called off', async () => {
        expect(await log.waitFor('hits', 0, 0, 30)).toBe(false);
        const stop = new AbortController();
        const waiting = log.waitFor('hits', 0, 0, 60_000, stop.signal);
        stop.abort();
        expect(await waiting).toBe(false);
      });

      it('sees what another process appends', async () => {
        const waiting = log.waitFor('hits', 0, 0, 30_000);
        const child = startChild(made.opener, 'append-once', 'from afar');
        await child.ended();
        expect(await waiting).toBe(true);
        expect(await readAll('hits', 0)).toEqual(['from afar']);
      });
    });

    describe('groups', () => {
      /** A processor that notes what happens to it. */
      function noting(member: string, seen: string[], options: Partial<PartitionProcessor> = {}) {
        return async (partition: number): Promise<PartitionProcessor> => {
          seen.push(`${member} opens ${partition}`);
          return {
            start: 'earliest',
            limit,
            process: async (batch) => {
              seen.push(...texts(batch));
            },
            close: async () => {
              seen.push(`${member} closes ${partition}`);
            },
            ...options,
          };
        };
      }

      const eventually = (check: () => void) => expect.poll(() => tryOut(check), { timeout: 30_000, interval: 10 }).toBe('ok');

      it('gives a member every partition, from the first kept record, and what comes later', async () => {
        await append(0, 'old');
        const seen: string[] = [];
        const member = await log.join('g', 'hits', noting('m', seen));
        await append(3, 'new');
        await eventually(() => expect(seen).toEqual(expect.arrayContaining(['old', 'new', 'm opens 1', 'm opens 2'])));
        await member.leave();
        await member.done;
        expect(seen.filter((line) => line.includes('closes'))).toHaveLength(4);
      });

      it('starts where the processor says and not where the group was before', async () => {
        await append(0, 'a', 'b', 'c');
        const first: string[] = [];
        const earlier = await log.join('g', 'hits', noting('m', first));
        await eventually(() => expect(first).toContain('c'));
        await earlier.leave();
        const again: string[] = [];
        const member = await log.join('g', 'hits', (partition) =>
          noting('m', again, partition === 0 ? { start: 1 } : {})(partition),
        );
        await eventually(() => expect(again).toContain('c'));
        await member.leave();
        expect(again.filter((line) => line.length === 1)).toEqual(['b', 'c']);
      });

      it('processes one batch of a partition after the other', async () => {
        await append(0, ...Array.from({ length: 50 }, (_, i) => `${i}`));
        const seen: string[] = [];
        let inHand = 0;
        const process = async (batch: LogBatch) => {
          if (++inHand > 1) throw new Error('two batches at once');
          await new Promise((resolve) => setTimeout(resolve, 2));
          seen.push(...texts(batch));
          inHand--;
        };
        const member = await log.join('g', 'hits', noting('m', [], { process, limit: { recordsMax: 7, bytesMax: 1_000 } }));
        await eventually(() => expect(seen).toHaveLength(50));
        expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
        await member.leave();
        await member.done;
      });

      it('lets two groups read everything independently', async () => {
        await append(0, 'a');
        const [one, two]: [string[], string[]] = [[], []];
        const members = [await log.join('g1', 'hits', noting('m', one)), await log.join('g2', 'hits', noting('m', two))];
        await eventually(() => expect(one.includes('a') && two.includes('a')).toBe(true));
        await Promise.all(members.map((member) => member.leave()));
      });

      it('divides the partitions between two members, each partition held by one at a time', async () => {
        const held = new Map<number, string>();
        const owned = (member: string) => async (partition: number) => {
          if (held.has(partition)) throw new Error(`${member} opens ${partition} while ${held.get(partition)} holds it`);
          held.set(partition, member);
          return {
            start: 'earliest',
            limit,
            process: async () => undefined,
            close: async () => void held.delete(partition),
          } as const;
        };
        const members = [await log.join('g', 'hits', owned('one')), await log.join('g', 'hits', owned('two'))];
        const shares = () => [...held.values()].sort().join(' ');
        await eventually(() => expect(shares()).toBe('one one two two'));
        await members[0]!.leave();
        await eventually(() => expect(shares()).toBe('two two two two'));
        await members[1]!.leave();
        await Promise.all(members.map((member) => member.done));
        expect(held.size).toBe(0);
      });

      it('loses nothing and doubles nothing while members come and go', async () => {
        const positions = [0, 0, 0, 0];
        const seen: string[] = [];
        const resuming = async (partition: number): Promise<PartitionProcessor> => ({
          start: positions[partition] ?? 0,
          limit: { recordsMax: 5, bytesMax: 1_000 },
          process: async (batch) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            seen.push(...texts(batch));
            positions[partition] = batch.next;
          },
          close: async () => undefined,
        });
        const first = await log.join('g', 'hits', resuming);
        for (let i = 0; i < 40; i++) await append(i % 4, `${i}`);
        const second = await log.join('g', 'hits', resuming);
        for (let i = 40; i < 80; i++) await append(i % 4, `${i}`);
        await first.leave();
        await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(80));
        await second.leave();
        expect(seen.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, i) => i));
      });

      it('stops a member visibly when its processing fails, closes its other partitions, and loses nothing', async () => {
        await append(0, 'good', 'bad');
        const seen: string[] = [];
        const process = async (batch: LogBatch) => {
          if (texts(batch).includes('bad')) throw new Error('cannot process "bad"');
          seen.push(...texts(batch));
        };
        const member = await log.join('g', 'hits', noting('m', seen, { process, limit: { recordsMax: 1, bytesMax: 1_000 } }));
        await expect(member.done).rejects.toThrow('cannot process "bad"');
        await append(1, 'unseen');
        expect(seen.filter((line) => line.includes('closes')).sort()).toEqual([
          'm closes 0',
          'm closes 1',
          'm closes 2',
          'm closes 3',
        ]);
        expect(seen).not.toContain('unseen');
        await member.leave();

        const after: string[] = [];
        const next = await log.join('g', 'hits', (partition) =>
          noting('n', after, partition === 0 ? { start: 1 } : {})(partition),
        );
        await eventually(() => expect(after).toEqual(expect.arrayContaining(['bad', 'unseen'])));
        await next.leave();
      });

      it('hands the partitions of a failed member to the others', async () => {
        const seen: string[] = [];
        const failing = await log.join('g', 'hits', noting('one', [], { process: () => Promise.reject(new Error('broken')) }));
        const healthy = await log.join('g', 'hits', noting('two', seen));
        for (const partition of [0, 1, 2, 3]) await append(partition, `p${partition}`);
        await expect(failing.done).rejects.toThrow('broken');
        await eventually(() => expect(seen).toEqual(expect.arrayContaining(['p0', 'p1', 'p2', 'p3'])));
        await healthy.leave();
        await healthy.done;
      });

      it('stops a member visibly when a processor cannot be opened', async () => {
        const member = await log.join('g', 'hits', () => Promise.reject(new Error('no snapshot')));
        await expect(member.done).rejects.toThrow('no snapshot');
      });

      it('stops a member whose position is gone instead of jumping ahead', async () => {
        await append(0, 'a', 'b', 'c');
        await log.trim('hits', 0, 2);
        const member = await log.join('g', 'hits', noting('m', [], { start: 0 }));
        await expect(member.done).rejects.toThrow(OffsetOutOfRange);
      });

      it('counts the records that its members have still to process', async () => {
        let release: () => void = () => undefined;
        const gate = new Promise<void>((resolve) => (release = resolve));
        const member = await log.join(
          'g',
          'hits',
          noting('m', [], { process: () => gate, limit: { recordsMax: 1, bytesMax: 1_000 } }),
        );
        await append(0, 'a', 'b', 'c');
        await expect.poll(() => member.lag(), { timeout: 30_000 }).toBe(3);
        release();
        await expect.poll(() => member.lag(), { timeout: 30_000 }).toBe(0);
        await member.leave();
      });

      it('tells what the group has given a member, and whether it is open', async () => {
        let release: () => void = () => undefined;
        const gate = new Promise<void>((resolve) => (release = resolve));
        const open = async (partition: number) => {
          if (partition === 1) await gate;
          return noting('m', [])(partition);
        };
        const member = await log.join('g', 'hits', open);
        const shown = () => (member.owned() ?? []).map(({ partition, isOpen }) => `${partition} ${isOpen}`).sort();
        await eventually(() => expect(shown()).toEqual(['0 true', '1 false', '2 true', '3 true']));
        release();
        await eventually(() => expect(shown()).toEqual(['0 true', '1 true', '2 true', '3 true']));
        await member.leave();
        expect(member.owned() ?? []).toEqual([]);
      });

      it('lets the batch in hand end before it leaves', async () => {
        const seen: string[] = [];
        let release: () => void = () => undefined;
        const gate = new Promise<void>((resolve) => (release = resolve));
        let began = false;
        const process = async () => {
          began = true;
          await gate;
          seen.push('ended');
        };
        const member = await log.join('g', 'hits', noting('m', seen, { process }));
        await append(0, 'a');
        await eventually(() => expect(began).toBe(true));
        const leaving = member.leave();
        release();
        await leaving;
        expect(seen.indexOf('ended')).toBeGreaterThan(0);
        expect(seen.indexOf('ended')).toBeLessThan(seen.indexOf('m closes 0'));
      });
    });

    describe('trouble', () => {
      /** Partition 0 keeps its own position and fails with each of `faults` once, at the record `bad`. */
      function failing(faults: unknown[], seen: string[], how: 'process' | 'failed' | 'open') {
        let position = 0;
        return async (partition: number): Promise<PartitionProcessor> => {
          seen.push(`opens ${partition}`);
          const fault = partition === 0 ? faults[0] : undefined;
          if (fault !== undefined && how === 'open') throw faults.shift();
          let fail: (error: unknown) => void = () => undefined;
          const failed = new Promise<never>((_, reject) => (fail = reject));
          return {
            start: partition === 0 ? position : 'earliest',
            limit: { recordsMax: 1, bytesMax: 1_000 },
            failed,
            process: async (batch) => {
              if (fault !== undefined && texts(batch).includes('bad')) {
                faults.shift();
                if (how === 'process') throw fault;
                fail(fault);
                // What failed beside it may end after the batch.
              }
              seen.push(...texts(batch));
              if (partition === 0) position = batch.next;
            },
            close: async () => void seen.push(`closes ${partition}`),
          };
        };
      }
      const eventually = (check: () => void) => expect.poll(() => tryOut(check), { timeout: 30_000, interval: 10 }).toBe('ok');
      const faultsThatReopen = [
        ['another owner wrote', () => new OwnershipLost('slot/0')],
        ['a store was away', () => new Unavailable('the store is away')],
        ['of a retriable fault', () => Object.assign(new Error('busy'), { retriable: true })],
      ] as const;

      it.each(faultsThatReopen)('opens a partition anew from its own position when %s', async (_, make) => {
        await append(0, 'good', 'bad', 'after');
        const seen: string[] = [];
        const fault = make();
        const member = await log.join('g', 'hits', failing([fault, fault], seen, 'process'));
        await eventually(() => expect(seen).toContain('after'));
        const kept = seen.filter((line) => !/[1-3]$/.test(line));
        expect(kept).toEqual(['opens 0', 'good', 'closes 0', 'opens 0', 'closes 0', 'opens 0', 'bad', 'after']);
        const trouble = { group: 'g', topic: 'hits', partition: 0, error: fault };
        expect(made.troubles).toEqual([trouble, trouble]);
        // The others stayed open all the while.
        expect(seen.filter((line) => line === 'opens 1')).toHaveLength(1);
        expect(seen).not.toContain('closes 1');
        await member.leave();
        await member.done;
      });

      it('does the same when opening fails, and when a processor fails outside of a batch', async () => {
        await append(0, 'bad');
        for (const how of ['open', 'failed'] as const) {
          const seen: string[] = [];
          const member = await log.join(`g-${how}`, 'hits', failing([new Unavailable('away')], seen, how));
          await eventually(() => expect(seen.filter((line) => line === 'opens 0')).toHaveLength(2));
          await append(0, how);
          await eventually(() => expect(seen).toContain(how));
          expect(made.troubles.filter(({ group }) => group === `g-${how}`)).toHaveLength(1);
          await member.leave();
          await member.done;
        }
      });

      it('stops the member for any other fault, one outside of a batch too', async () => {
        await append(0, 'bad');
        for (const how of ['open', 'process', 'failed'] as const) {
          const member = await log.join(`s-${how}`, 'hits', failing([new Error(`broken in ${how}`)], [], how));
          await expect(member.done).rejects.toThrow(`broken in ${how}`);
          await member.leave();
        }
        expect(made.troubles).toEqual([]);
      });

      it('gives up at once when the member leaves while a partition waits to be opened', async () => {
        const member = await log.join('g', 'hits', () => Promise.reject(new Unavailable('away')));
        await eventually(() => expect(made.troubles.length).toBeGreaterThanOrEqual(8));
        await member.leave();
        await member.done;
        const { length } = made.troubles;
        await new Promise((resolve) => setTimeout(resolve, 500));
        expect(made.troubles).toHaveLength(length);
      });
    });
  });
}

function tryOut(check: () => void): string {
  try {
    check();
    return 'ok';
  } catch (error) {
    return String(error);
  }
}
