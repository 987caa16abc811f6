import { createHash } from 'node:crypto';
import { warningIdOf } from '../domain/warning-facts.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Log } from '../ports/log.js';
import { decideWarnings, type Revision } from './warn-decisions.js';
import { newInputs, type WarnInput } from './warn-inputs.js';
import { commandsProducer } from './warn-commands.js';
import type { ShelvedWarning } from './warning-shelf.js';
import { eachRecord, producerOf } from './verify-scan.js';

/**
 * Groups the hits of one partition into warnings once more, by the code that groups them in the platform, on a shelf of its own in
 * memory. It does not look at the marks of what was taken before: a hit counts once by its id.
 */
export interface Regrouping {
  readonly warnings: ReadonlyMap<string, ShelvedWarning>;
  /** Takes in what is on `hits` from where it stands to `upTo`. Throws `TooMany`. */
  advance(upTo: number): Promise<void>;
}

export interface RegroupOptions {
  readonly log: Log;
  readonly partition: number;
  readonly policy: WarningPolicy;
  readonly bucket: Bucket;
  /** Hits held at once; more throw `TooMany`. */
  readonly heldMax: number;
  readonly onRevision: (revision: Revision) => void;
  readonly onRecord: (offset: number) => void;
}

/** Warnings whose id hashes to `value` in its first `bits` bits. */
export interface Bucket {
  readonly bits: number;
  readonly value: number;
}
/** A share so small holds one warning or few: they are held, however many hits they have. */
const bitsMax = 20;
export const everyWarning: Bucket = { bits: 0, value: 0 };

/** A share of the warnings must be grouped alone: they would take too much memory together. Never leaves the verification. */
export class TooMany extends Error {}

export function halves({ bits, value }: Bucket): [Bucket, Bucket] {
  return [
    { bits: bits + 1, value: value * 2 },
    { bits: bits + 1, value: value * 2 + 1 },
  ];
}

export function isIn({ bits, value }: Bucket, warningId: string): boolean {
  if (bits === 0) return true;
  return createHash('md5').update(warningId).digest().readUInt32BE(0) >>> (32 - bits) === value;
}

export function createRegrouping(options: RegroupOptions): Regrouping {
  const { log, partition, policy, bucket, heldMax, onRevision, onRecord } = options;
  const warnings = new Map<string, ShelvedWarning>();
  /** Frames of commands that were had; each is a record of `commands`, and may have been handed on twice. */
  const heard = new Set<number>();
  let at: number | undefined;
  let held = 0;

  const shelf = {
    load(wanted: readonly { warningId: string }[]) {
      for (const { warningId } of wanted) if (!warnings.has(warningId)) warnings.set(warningId, emptyPlace(warningId));
      return Promise.resolve((warningId: string) => warnings.get(warningId)!);
    },
  };

  async function take(value: Uint8Array, offset: number): Promise<void> {
    onRecord(offset);
    const { inputs, marks } = newInputs([{ value, offset }], {}, partition);
    const commands = producerOf(value) === commandsProducer(partition) ? marks[commandsProducer(partition)] : undefined;
    if (commands !== undefined) {
      if (heard.has(commands)) return;
      heard.add(commands);
    }
    const mine = inputs.map(ofBucket).filter(({ hits, commands: said }) => hits.length + said.length > 0);
    if (mine.length === 0) return;
    const { revisions, entries } = await decideWarnings(shelf, mine, policy);
    for (const revision of revisions) onRevision(revision);
    for (const entry of entries) {
      held += entry.changed.size;
      entry.changed.clear();
    }
    if (held > heldMax && bucket.bits < bitsMax) throw new TooMany();
  }

  function ofBucket({ timeMs, hits, commands }: WarnInput): WarnInput {
    return {
      timeMs,
      hits: hits.filter((hit) => isIn(bucket, warningIdOf(hit))),
      commands: commands.filter(({ command }) => isIn(bucket, command.data.warningId)),
    };
  }

  return {
    warnings,
    async advance(upTo) {
      if (at === undefined || at < upTo) at = await eachRecord(log, 'hits', partition, { from: at, upTo }, take);
    },
  };
}

function emptyPlace(id: string): ShelvedWarning {
  return { id, warning: null, facts: null, seen: new Map(), changed: new Set(), obeyed: [], touchedDay: null };
}
