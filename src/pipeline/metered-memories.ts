import { createEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import type { FrameViews } from './frame-views.js';
import { createPatternMeter, type PatternMeter } from './pattern-meter.js';
import { memoriesHere, type OpenMemory } from './score-memory.js';
import type { Owns } from './score.js';

export type MeteredMemories = Pick<PatternMeter, 'read'> & { readonly openMemory: OpenMemory<PatternSet> };

/** Memories on this thread, of engines that count what their patterns do and cost. */
export function createMeteredMemories(options: {
  readonly clock: { now(): number };
  readonly frameViews?: FrameViews;
}): MeteredMemories {
  const meter = createPatternMeter();
  const make = (set: PatternSet, { owns }: { readonly owns: Owns }) => createEngine(set, { owns, measure });
  return { openMemory: memoriesHere({ createEngine: meter.metering(make), ...options }), read: () => meter.read() };
}

/** Nanoseconds of a monotonic clock: what a pattern costs, never what it finds. */
const measure = (): number => performance.now() * 1e6;
