import { fates, type Call, type Fate } from './network.js';
import type { World } from './world.js';

/** What goes wrong in a run, and how often. Each seed has its own mixture: some faults hide others. */
export interface Mixture {
  /** Share of writes, and of reads, to which something happens. */
  readonly writes: number;
  readonly reads: number;
  readonly fates: readonly Fate[];
  /** Most of them, so that a run comes to its end. */
  readonly most: number;
  /** Mean time between what happens by itself: kills, outages, rebalances, failovers. */
  readonly everyMs: number;
  /** Whether there is a replica that may take over. */
  readonly hasReplica: boolean;
  /** Whether a failover may lose what was answered. */
  readonly mayForget: boolean;
}

const possible: Readonly<Record<Call['kind'], readonly Fate[]>> = {
  append: fates.filter((fate) => fate !== 'done' && fate !== 'resolved'),
  commit: fates.filter((fate) => fate !== 'done' && fate !== 'doubled' && fate !== 'partial'),
  insert: ['crash-before', 'crash-after', 'refused', 'reply-lost', 'late', 'pause-before'],
  read: ['refused', 'crash-before'],
};

export function fatesOf(kind: Call['kind']): readonly Fate[] {
  return possible[kind];
}

export function drawMixture(world: World): Mixture {
  const kept = fates.filter((fate) => fate !== 'done' && world.chance(0.7));
  return {
    writes: world.pick([0.002, 0.01, 0.03, 0.08]),
    reads: world.pick([0, 0.002, 0.01]),
    fates: kept,
    most: world.between(3, 40),
    everyMs: world.pick([2_000, 5_000, 15_000]),
    hasReplica: true,
    mayForget: world.chance(0.4),
  };
}

/** Draws what becomes of each call. */
export function createDrawing(world: World, { writes, reads, fates: kept, most }: Mixture): (call: Call) => Fate {
  let left = most;
  return ({ kind }) => {
    if (left === 0 || !world.chance(kind === 'read' ? reads : writes)) return 'done';
    const candidates = possible[kind].filter((fate) => kept.includes(fate));
    if (candidates.length === 0) return 'done';
    left--;
    return world.pick(candidates);
  };
}
