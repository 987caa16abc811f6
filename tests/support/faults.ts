import { readFrame, role } from '../../src/domain/frame.js';
import type { Log, OutgoingRecord } from '../../src/ports/log.js';
import type { Change, State } from '../../src/ports/state.js';

/** A write of the pipeline, as the crash table names it. With its hits a scorer appends what it tells other partitions. */
export const crashPoints = [
  'claims',
  'append of transactions',
  'marking claims done',
  'journal',
  'append of hits',
  'checkpoint of warnings',
  'append of warnings',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/**
 * `before`: the write never happened. `after`: it happened, and nobody was told. `halfway`: of an append to a log without
 * transactions only the first records are there.
 */
export interface Fault {
  readonly point: CrashPoint;
  /** The how manieth write of this kind, from 0. */
  readonly number: number;
  readonly mode: 'before' | 'halfway' | 'after';
}

export class Crash extends Error {}

export interface FaultyParts {
  readonly log: Log;
  readonly state: State;
  /** Writes of each kind so far. */
  readonly counts: ReadonlyMap<CrashPoint, number>;
  hasCrashed(): boolean;
}

/** The real parts, of a process that dies at one write: from then on nothing that it tries reaches them. */
export function withFault(log: Log, state: State, fault: Fault | null): FaultyParts {
  const counts = new Map<CrashPoint, number>();
  let crashed = false;

  async function guarded<T>(point: CrashPoint | null, write: () => Promise<T>, writeHalf = write): Promise<T> {
    if (crashed) throw new Crash('the process is dead');
    const number = point ? (counts.get(point) ?? 0) : 0;
    if (point) counts.set(point, number + 1);
    const isNow = fault !== null && fault.point === point && fault.number === number;
    if (isNow && fault.mode === 'before') {
      crashed = true;
      throw new Crash(`before ${fault.point} ${number}`);
    }
    const result = await (isNow && fault.mode === 'halfway' ? writeHalf() : write());
    if (isNow) {
      crashed = true;
      throw new Crash(`${fault.mode} ${fault.point} ${number}`);
    }
    return result;
  }

  const { together } = state;
  return {
    log: {
      ...log,
      append: (records) => {
        const half = (): Promise<void> => log.append(records.slice(0, Math.ceil(records.length / 2)));
        return guarded(appendPoint(records), () => log.append(records), half);
      },
    },
    state: {
      ...state,
      commit: (slot, change) => guarded(commitPoint(slot, change), () => state.commit(slot, change)),
      // Named after what it brings to the log.
      ...(together ? { together: (commits, records) => guarded(appendPoint(records), () => together(commits, records)) } : {}),
    },
    counts,
    hasCrashed: () => crashed,
  };
}

function appendPoint(records: readonly OutgoingRecord[]): CrashPoint | null {
  const topics = new Set(records.map(({ topic }) => topic));
  if (topics.has('hits') || records.some(hasForwards)) return 'append of hits';
  if (topics.has('transactions')) return 'append of transactions';
  return topics.has('warnings') ? 'append of warnings' : null;
}

function hasForwards({ topic, value }: OutgoingRecord): boolean {
  return topic === 'transactions' && [...readFrame(value)].some(({ roles }) => roles === role.forward);
}

function commitPoint(slot: string, change: Change): CrashPoint | null {
  if (slot.startsWith('ids/')) return (change.put?.length ?? 0) > 0 ? 'claims' : 'marking claims done';
  if (slot.startsWith('score/')) return 'journal';
  return slot.startsWith('warn/') ? 'checkpoint of warnings' : null;
}
