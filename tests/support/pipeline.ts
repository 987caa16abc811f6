import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Hit } from '../../src/domain/hit.js';
import { readFrame, role } from '../../src/domain/frame.js';
import type { Warning } from '../../src/domain/warning.js';
import { createIntake, type Intake, type IntakeOptions } from '../../src/pipeline/intake.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type Score, type ScoreOptions } from '../../src/pipeline/score.js';
import { createWarn } from '../../src/pipeline/warn.js';
import { parseWarningPolicy } from '../../src/pipeline/warning-policy-file.js';
import type { Log, Membership } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { eventsOn, hitsOn, valuesOn } from './embedded.js';
import { compileOrThrow, settledPatterns } from './patterns.js';

const policyFile = fileURLToPath(new URL('../../config/warnings.yaml', import.meta.url));

/** The weights, levels and deadlines that ship. */
export const shippedPolicy = parseWarningPolicy(readFileSync(policyFile, 'utf8'), 'config/warnings.yaml');

/** A pattern store that holds sets in memory; `current` may be changed at any time. */
export function patternStoreOf(...sets: readonly PatternSet[]) {
  const known = new Map(sets.map((set) => [set.id, set]));
  return {
    current: sets[0]!.id,
    currentId() {
      return Promise.resolve(this.current);
    },
    load(id: string) {
      const set = known.get(id);
      return set ? Promise.resolve(set) : Promise.reject(new Error(`no pattern set ${id}`));
    },
  };
}

let settledSet: PatternSet | undefined;
/** Of `settledPatterns`: runs can be compared hit by hit. */
export function settledPatternSet(): PatternSet {
  settledSet ??= compileOrThrow(settledPatterns());
  return settledSet;
}

export interface Pipeline {
  readonly intake: Intake;
  readonly score: Score;
  readonly warn: Membership;
  /** Resolves when all that is on the log was scored and warned about; rejects with the fault that stopped a consumer. */
  drained(): Promise<void>;
  stop(): Promise<void>;
}

export interface PipelineOptions {
  readonly log: Log;
  readonly state: State;
  readonly patternStore?: ReturnType<typeof patternStoreOf>;
  readonly clock?: { now(): number };
  readonly score?: Partial<ScoreOptions<PatternSet>['settings'] & object>;
  readonly intake?: IntakeOptions['settings'];
}

export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { log, state, clock = Date, patternStore = patternStoreOf(settledPatternSet()) } = options;
  const shared = { log, state, clock, newId: randomUUID };
  const warn = await createWarn({ ...shared, policy: shippedPolicy });
  const score = await createScore({
    ...shared,
    patternStore,
    openMemory: memoriesHere({ createEngine, clock: shared.clock }),
    settings: { pollMs: 0, ...options.score },
  });
  const intake = createIntake({ ...shared, ...(options.intake ? { settings: options.intake } : {}) });
  const faults = Promise.all([score.done, warn.done]);
  faults.catch(() => undefined);
  return {
    intake,
    score,
    warn,
    drained: () => Promise.race([faults.then(() => undefined), drained(score, warn)]),
    stop: async () => {
      await Promise.allSettled([intake.settled(), score.leave(), warn.leave()]);
    },
  };
}

async function drained(score: Membership, warn: Membership): Promise<void> {
  while ((await score.lag()) > 0 || (await warn.lag()) > 0) await wait(5);
}

/** What is left of a run, without what depends on when things happened. */
export interface RunResult {
  /** Distinct transactions on the log, by the partitions that own a leg of them. */
  readonly transactions: readonly string[];
  readonly hits: ReadonlyMap<string, unknown>;
  readonly warnings: ReadonlyMap<string, unknown>;
}

/** Reads a run's result and checks on the way that nothing contradicts itself. */
export async function resultOf(log: Log, state: State): Promise<RunResult> {
  const warnings = await storedWarnings(log, state);
  await checkTold(log, warnings);
  return {
    transactions: await transactionsOn(log),
    hits: distinctHits((await hitsOn(log)).map(({ data }) => data as Hit)),
    warnings: new Map([...warnings].map(([id, warning]) => [id, timeless(warning)])),
  };
}

/** Until all that is on the log is scored; rejects with the fault that stopped the scorer. */
export async function drain(score: Score): Promise<void> {
  const failed = score.done.then(() => {
    throw new Error('the scorer has left');
  });
  failed.catch(() => undefined);
  while ((await Promise.race([score.lag(), failed])) > 0) await wait(2);
}

/** `id/debit` and `id/credit` of every transaction, in order. */
export async function transactionsOn(log: Log): Promise<string[]> {
  const legs = new Set<string>();
  for (let partition = 0; partition < log.partitions('transactions'); partition++) {
    for (const value of await valuesOn(log, 'transactions', partition)) {
      for (const { roles, start, end } of readFrame(value)) {
        if (roles >= role.forward) continue;
        const { id } = JSON.parse(Buffer.from(value.subarray(start, end)).toString()) as { id: string };
        if ((roles & role.debit) !== 0) legs.add(`${id}/debit`);
        if ((roles & role.credit) !== 0) legs.add(`${id}/credit`);
      }
    }
  }
  return [...legs].sort();
}

/** A hit that came twice must say the same both times. */
export function distinctHits(hits: readonly Hit[]): Map<string, unknown> {
  const distinct = new Map<string, unknown>();
  for (const { receivedAtMs: _, ...hit } of hits) {
    const before = distinct.get(hit.id);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(hit)) throw new Error(`hit ${hit.id} has two contents`);
    distinct.set(hit.id, hit);
  }
  return new Map([...distinct].sort(([one], [other]) => (one < other ? -1 : 1)));
}

async function storedWarnings(log: Log, state: State): Promise<Map<string, Warning>> {
  const warnings = new Map<string, Warning>();
  for (let partition = 0; partition < log.partitions('hits'); partition++) {
    const stored = await state.scan(`warn/${partition}`, { prefix: 'w/', limit: 100_000 });
    for (const { value } of stored) {
      const { warning } = JSON.parse(Buffer.from(value).toString()) as { warning: Warning };
      if (warnings.has(warning.id)) throw new Error(`warning ${warning.id} is stored twice`);
      warnings.set(warning.id, warning);
    }
  }
  return new Map([...warnings].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Every revision of every warning was told, under one content each, and the last one is what is stored. */
async function checkTold(log: Log, warnings: ReadonlyMap<string, Warning>): Promise<void> {
  const told = new Map<string, Map<number, string>>();
  for (const { type, data } of await eventsOn(log, 'warnings')) {
    const warning = data as Warning;
    const revisions = told.get(warning.id) ?? new Map<number, string>();
    told.set(warning.id, revisions);
    if ((type === 'warning.raised') !== (warning.revision === 1)) throw new Error(`${type} with revision ${warning.revision}`);
    const text = JSON.stringify(warning);
    if ((revisions.get(warning.revision) ?? text) !== text) throw new Error(`${warning.id}#${warning.revision} has two contents`);
    revisions.set(warning.revision, text);
  }
  for (const [id, warning] of warnings) {
    const revisions = told.get(id);
    if (revisions?.size !== warning.revision)
      throw new Error(`${id}: told ${revisions?.size ?? 0} of ${warning.revision} revisions`);
    if (revisions.get(warning.revision) !== JSON.stringify(warning)) throw new Error(`${id}: what is stored was not told`);
  }
  for (const id of told.keys()) if (!warnings.has(id)) throw new Error(`${id} was told and is not stored`);
}

function timeless({ revision: _r, raisedAt: _a, receivedAt: _c, dueAt: _d, ...warning }: Warning): unknown {
  return warning;
}
