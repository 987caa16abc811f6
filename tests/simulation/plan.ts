import { drawMixture, type Mixture } from './disturbances.js';
import type { ProcessSettings } from './process.js';
import type { World } from './world.js';

/** Who takes part in a run, and what is played. */
export interface Plan {
  readonly isShort: boolean;
  readonly processes: number;
  readonly banks: number;
  readonly materialSeed: number;
  readonly transactions: number;
  readonly bodyLines: number;
  readonly hasPoison: boolean;
  readonly changesPatterns: boolean;
  readonly settings: ProcessSettings;
  readonly mixture: Mixture;
  /** How long things go wrong by themselves. */
  readonly troubleMs: number;
}

/** Drawn anew for each seed. */
export function drawPlan(world: World, isOneStore: boolean): Plan {
  const drawn = drawMixture(world);
  const mixture = isOneStore ? { ...drawn, hasReplica: false, mayForget: false } : drawn;
  return {
    isShort: false,
    processes: world.between(1, 3),
    banks: world.between(1, 2),
    materialSeed: world.between(0, 7),
    transactions: 72,
    bodyLines: world.pick([6, 9, 12]),
    hasPoison: world.chance(0.15),
    // What was told under a set that the store then forgot cannot be untold.
    changesPatterns: world.chance(0.25) && !mixture.mayForget,
    settings: {
      scoreRecordsMax: world.pick([1, 2, 5, 64]),
      warnRecordsMax: world.pick([1, 4, 16]),
      sliceRecordsMax: world.pick([1, 3, 8]),
      claimSlots: world.pick([1, 2, 4]),
      hasDispatch: world.chance(0.5),
      hasArchive: world.chance(0.35),
      isOneStore,
      isReal: world.chance(0.15),
    },
    mixture,
    troubleMs: world.pick([10_000, 30_000, 90_000]),
  };
}

/** The same for every run with chosen faults. */
export function shortPlan(world: World, isOneStore: boolean): Plan {
  return {
    isShort: true,
    processes: 2,
    banks: 1,
    materialSeed: 3,
    transactions: 40,
    bodyLines: 10,
    hasPoison: false,
    changesPatterns: false,
    settings: {
      scoreRecordsMax: 1,
      warnRecordsMax: 4,
      sliceRecordsMax: 3,
      claimSlots: 1,
      hasDispatch: false,
      hasArchive: false,
      isOneStore,
      isReal: false,
    },
    mixture: { ...drawMixture(world), mayForget: false },
    troubleMs: 0,
  };
}
