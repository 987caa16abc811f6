import { decodeEvents, encodeEvents, type EventFrame } from '../../src/domain/event.js';
import { encodeFrame, readFrame, type FrameInput } from '../../src/domain/frame.js';
import { verify, type VerifyOptions, type VerifyReport } from '../../src/pipeline/verify.js';
import type { Finding } from '../../src/pipeline/verify-tally.js';
import type { Log, Topic } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { patternStoreOf, shippedPolicy } from '../support/pipeline.js';

const some = ['M01', 'M02', 'M03', 'M05', 'M13', 'M14', 'M15', 'M17', 'V01', 'V11', 'V12', 'N01'];
const sources = shippedPatterns().filter(({ file }) => some.some((id) => file.startsWith(`${id}-`)));
/** Some of those that ship, also such that partitions tell one another about, and one on trial. */
export const firstSet = compileOrThrow(sources);
/** Without one pattern: another set, which keeps another state. */
export const smallerSet = compileOrThrow(sources.filter(({ file }) => !file.startsWith('M01-')));

export function verifyStore(
  parts: Pick<VerifyOptions, 'log' | 'state'>,
  others: Partial<VerifyOptions> = {},
): Promise<VerifyReport> {
  return verify({
    ...parts,
    warehouse: null,
    patternStore: storeOf(),
    policy: shippedPolicy,
    settings: { quarantinedMax: 100, keepDays: 190 },
    clock: Date,
    ...others,
  });
}

/** A pattern store in which the first set was followed by the smaller one, and came back. */
function storeOf() {
  const known = patternStoreOf(firstSet, smallerSet);
  const entries = [firstSet, smallerSet, firstSet].map(({ id }, i) => ({
    revision: 3 - i,
    at: '',
    by: '',
    how: 'pushed' as const,
    moves: [],
    set: id,
  }));
  return { load: (id: string) => known.load(id), log: () => Promise.resolve({ entries, next: null }) };
}

export interface Counts {
  readonly missing: number;
  readonly phantom: number;
  readonly different: number;
}

/** What differs, by check; checks in which nothing does are left out. */
export function differencesOf({ findings }: VerifyReport): Record<string, Counts> {
  const counts: Record<string, Counts> = {};
  for (const finding of findings) {
    const { check, missing, phantom, different } = finding;
    if (missing + phantom + different === 0) continue;
    const before = counts[check] ?? { missing: 0, phantom: 0, different: 0 };
    counts[check] = {
      missing: before.missing + missing,
      phantom: before.phantom + phantom,
      different: before.different + different,
    };
  }
  return counts;
}

export function sumOf(
  { findings }: VerifyReport,
  check: Finding['check'],
  of: 'equal' | 'pending' | 'incomparable' | 'repeated',
): number {
  return findings.filter((finding) => finding.check === check).reduce((sum, finding) => sum + finding[of], 0);
}

/** Makes another record of it, or none. */
type Change = (
  value: Uint8Array,
  at: { readonly topic: Topic; readonly partition: number; readonly offset: number },
) => Uint8Array | null;

/** The log as somebody left it who has changed what stands on it. */
export function tamperedLog(log: Log, change: Change): Log {
  return {
    ...log,
    async read(topic, partition, from, limit) {
      const batch = await log.read(topic, partition, from, limit);
      const records = batch.records.flatMap(({ offset, value }) => {
        const changed = change(value, { topic, partition, offset });
        return changed ? [{ offset, value: changed }] : [];
      });
      return { ...batch, records };
    },
  };
}

/** The state with one value in place of another. */
export function tamperedState(state: State, change: (key: string, value: Uint8Array, slot: string) => Uint8Array | null): State {
  return {
    ...state,
    async get(slot, keys) {
      const values = await state.get(slot, keys);
      return values.map((value, i) => value && change(keys[i]!, value, slot));
    },
    async scan(slot, options) {
      const entries = await state.scan(slot, options);
      return entries.flatMap(({ key, value }) => {
        const changed = change(key, value, slot);
        return changed ? [{ key, value: changed }] : [];
      });
    },
  };
}

/** Changes the events of one frame; a frame of which none is left goes. */
export function withEvents(value: Uint8Array, change: (frame: EventFrame) => EventFrame['events']): Uint8Array | null {
  const frame = decodeEvents(value);
  const events = change(frame);
  return events.length > 0 ? encodeEvents({ ...frame, events }) : null;
}

/** Leaves the entries of a frame of transactions out for which `drops` says so. */
export function withoutEntries(value: Uint8Array, drops: (roles: number, bytes: Uint8Array) => boolean): Uint8Array {
  const kept: FrameInput[] = [];
  for (const { roles, flags, receivedAtMs, start, end } of readFrame(value)) {
    const bytes = value.slice(start, end);
    if (!drops(roles, bytes)) kept.push({ roles, flags, receivedAtMs, bytes });
  }
  return encodeFrame(kept);
}

export function rewritten<T>(value: Uint8Array, change: (stored: T) => unknown): Uint8Array {
  return Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(value).toString()) as T)));
}
