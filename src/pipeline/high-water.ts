import type { ForwardOrigin } from '../domain/frame.js';

/**
 * What a partition has had from each of the others. A sender's forwards come in the order of (sequence, index); what a restart
 * sends again is not above the mark. Stored with the state alone: replaying the partition's log builds it again together with it.
 */
export interface HighWater {
  /** Whether the forward was not had yet; it counts as had from then on. */
  take(origin: ForwardOrigin): boolean;
  save(): Marks;
  load(marks: Marks): void;
}

export type Marks = readonly (readonly [from: number, sequence: number, index: number])[];

export function createHighWater(): HighWater {
  const marks = new Map<number, { readonly sequence: number; readonly index: number }>();
  return {
    take({ from, sequence, index }) {
      const mark = marks.get(from);
      if (mark && (sequence < mark.sequence || (sequence === mark.sequence && index <= mark.index))) return false;
      marks.set(from, { sequence, index });
      return true;
    },
    save: () => [...marks].map(([from, { sequence, index }]) => [from, sequence, index] as const),
    load(saved) {
      marks.clear();
      for (const [from, sequence, index] of saved) marks.set(from, { sequence, index });
    },
  };
}
