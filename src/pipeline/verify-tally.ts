import { createHash } from 'node:crypto';

/** What the checks of `huqi verify` count, and how they tell contents apart. */

export const checkNames = ['hits', 'set aside', 'forwards', 'warnings', 'told', 'archive', 'chains'] as const;
export type CheckName = (typeof checkNames)[number];

/** Something that is not as the recomputation has it. Ids only: no account, no name. */
export interface Difference {
  /** On the log, in the state or in the archive it is missing, too much, or says something else. */
  readonly kind: 'missing' | 'phantom' | 'different';
  readonly id: string;
  /** Where it was looked for, such as `transactions/0@1042`. */
  readonly at: string;
}

/** One line of the result: one check at one place. */
export interface Finding {
  readonly check: CheckName;
  readonly place: string;
  /** Things that the recomputation has and that were looked for. */
  readonly compared: number;
  readonly equal: number;
  readonly missing: number;
  readonly phantom: number;
  readonly different: number;
  /** Found more than once with equal contents: allowed, receivers drop it. */
  readonly repeated: number;
  /** Not due yet: on the log and not scored, told or stored so far. */
  readonly pending: number;
  /** Differs, and the recomputation lacks what it would take to say that this is wrong. */
  readonly incomparable: number;
  /** The first few. */
  readonly differences: readonly Difference[];
}

/** Counts one line. */
export interface Tally {
  readonly check: CheckName;
  readonly place: string;
  equal(): void;
  repeated(): void;
  pending(count?: number): void;
  incomparable(): void;
  differs(difference: Difference): void;
  finding(): Finding;
}

/** Differences named on each line; all are counted. */
const differencesMax = 10;

export function createTally(check: CheckName, place: string): Tally {
  const counts = { equal: 0, missing: 0, phantom: 0, different: 0, repeated: 0, pending: 0, incomparable: 0 };
  const differences: Difference[] = [];
  return {
    check,
    place,
    equal: () => void counts.equal++,
    repeated: () => void counts.repeated++,
    pending: (count = 1) => void (counts.pending += count),
    incomparable: () => void counts.incomparable++,
    differs(difference) {
      counts[difference.kind]++;
      if (differences.length < differencesMax) differences.push(difference);
    },
    finding: () => ({ check, place, compared: counts.equal + counts.missing + counts.different, ...counts, differences }),
  };
}

export function isDifferent({ missing, phantom, different }: Finding): boolean {
  return missing + phantom + different > 0;
}

/** The same text for the same value, in whatever order its keys were written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

/** 48 bits of MD5, as a number: tells contents apart, proves nothing to an adversary. */
export function digestOf(...parts: readonly (string | Uint8Array)[]): number {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest().readUIntBE(0, 6);
}
