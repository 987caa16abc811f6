import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { archivedUpTo } from '../../src/pipeline/archive-positions.js';
import { decodeJson } from '../../src/pipeline/checkpoint.js';
import { journalHeadKey, journalSlot } from '../../src/pipeline/journal.js';
import { doneUpTo } from '../../src/pipeline/positions.js';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';

/** The stages, and the topic that each works on. */
const inputs = { score: 'transactions', warn: 'hits', dispatch: 'warnings', archive: 'transactions' } as const;
export type Stage = keyof typeof inputs;
const stages = Object.keys(inputs) as Stage[];

export interface Recovery {
  readonly component: string;
  readonly ms: number;
}

export interface RecoveryWatch {
  readonly recoveries: readonly Recovery[];
  /** Kills after which a stage has not come back. */
  readonly open: readonly string[];
  /** From now until `stage` has worked off all that was on its input when `component` was killed, on every partition. */
  note(component: string, stage: Stage): void;
  /** From now until `isBack`. */
  noteUntil(component: string, isBack: () => boolean): void;
  stop(): Promise<void>;
}

interface Waiting {
  readonly component: string;
  readonly atMs: number;
  /** What it waits for: positions of a stage, or anything else. */
  readonly until: { readonly stage: Stage; readonly ends: readonly number[] } | (() => boolean);
}

const everyMs = 250;
const journalSchema = z.object({ upTo: z.int() });

/** Looks at log and state, past all proxies, a few times a second. */
export function watchRecovery(log: Log, state: State): RecoveryWatch {
  const recoveries: Recovery[] = [];
  let waiting: Waiting[] = [];
  const ends = new Map<Stage, readonly number[]>(stages.map((stage) => [stage, []]));
  const stopping = new AbortController();

  const each = <T>(stage: Stage, read: (partition: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: log.partitions(inputs[stage]) }, (_, partition) => read(partition)));

  async function positionOf(stage: Stage, partition: number): Promise<number> {
    if (stage === 'archive') return (await archivedUpTo(state, 'transactions', partition)) ?? 0;
    if (stage !== 'score') return (await doneUpTo(state, inputs[stage], partition)) ?? 0;
    const [head] = await state.get(journalSlot(partition), [journalHeadKey]);
    return head ? journalSchema.parse(decodeJson(head)).upTo : 0;
  }

  async function look(): Promise<void> {
    for (const stage of stages)
      ends.set(stage, await each(stage, async (partition) => (await log.bounds(inputs[stage], partition)).next));
    const positions = new Map<Stage, readonly number[]>();
    for (const stage of stages)
      if (waiting.some(({ until }) => typeof until === 'object' && until.stage === stage))
        positions.set(stage, await each(stage, (partition) => positionOf(stage, partition)));
    settle(({ until }) => {
      if (typeof until === 'function') return false;
      const reached = positions.get(until.stage);
      return reached !== undefined && until.ends.every((end, partition) => reached[partition]! >= end);
    });
  }

  function settle(isBack: (one: Waiting) => boolean): void {
    const back = new Set(waiting.filter(isBack));
    for (const { component, atMs } of back) recoveries.push({ component, ms: Date.now() - atMs });
    waiting = waiting.filter((one) => !back.has(one));
  }

  const watching = (async () => {
    while (!stopping.signal.aborted) {
      // A server that is down is what is being measured.
      await look().catch(() => undefined);
      settle(({ until }) => typeof until === 'function' && until());
      await sleep(everyMs);
    }
  })();

  return {
    recoveries,
    get open() {
      return waiting.map(({ component }) => component);
    },
    note(component, stage) {
      waiting.push({ component, atMs: Date.now(), until: { stage, ends: ends.get(stage)! } });
    },
    noteUntil(component, isBack) {
      waiting.push({ component, atMs: Date.now(), until: isBack });
    },
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}
