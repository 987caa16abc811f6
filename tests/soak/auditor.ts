import { openWarehouse } from '../../src/app.js';
import { deliveryId } from '../../src/domain/delivery.js';
import { recipientsOf } from '../../src/domain/dispatch-policy.js';
import type { Hit } from '../../src/domain/hit.js';
import type { Recipient } from '../../src/domain/recipient.js';
import type { Level, Warning } from '../../src/domain/warning.js';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import type { Settings } from '../../src/settings.js';
import { eventsOn, hitsOn, temporaryEmbedded } from '../support/embedded.js';
import { startPipeline, transactionsOn, type RunResult } from '../support/pipeline.js';
import { body } from '../support/stream.js';

/** What differs from a quiet run of the same input. All but `repeats` must be zero. */
export interface Audit {
  readonly transactions: number;
  readonly hits: number;
  readonly warnings: number;
  readonly lost: readonly string[];
  readonly phantom: readonly string[];
  readonly doubled: readonly string[];
  readonly wrong: readonly string[];
  /** Webhooks that came again under an id that was there already, and frames of hits and warnings that lie on the log twice. */
  readonly repeats: { readonly webhooks: number; readonly hits: number; readonly warnings: number };
}

export interface AuditInput {
  readonly accepted: readonly string[];
  readonly settings: Settings;
  readonly log: Log;
  readonly state: State;
  readonly received: Received;
  /** Whose webhooks were received. */
  readonly recipient: Recipient;
}

/** What the webhook receiver has verified. */
export interface Received {
  /** Level of the warning by the webhook's id. */
  readonly byId: ReadonlyMap<string, { readonly warning: string; readonly level: Level }>;
  readonly repeats: number;
  readonly invalid: number;
}

/** Recomputes everything from what the bank was told is accepted, and holds it against log, state, receiver and archive. */
export async function audit(input: AuditInput): Promise<Audit> {
  const expected = await quietRun(input.accepted, input.settings);
  const [lost, phantom, doubled, wrong] = [[], [], [], []] as [string[], string[], string[], string[]];
  const findings = { lost, phantom, doubled, wrong };

  compareKeys('leg', new Set(expected.transactions), new Set(await transactionsOn(input.log)), findings);
  const hits = await hitsOf(input.log, findings);
  compareValues('hit', expected.hits, hits.byId, findings);
  const told = await toldOf(input.log, findings);
  const stored = await storedOf(input, findings);
  compareValues('warning', expected.warnings, new Map([...stored].map(([id, one]) => [id, timeless(one)])), findings);
  checkTold(told.latest, stored, findings);
  checkReceived(input, told, findings);
  await checkArchive(input, { hits: new Set(hits.byId.keys()), warnings: new Set(told.latest.keys()) }, findings);

  return {
    transactions: input.accepted.length,
    hits: expected.hits.size,
    warnings: expected.warnings.size,
    ...findings,
    repeats: { webhooks: input.received.repeats, hits: hits.repeats, warnings: told.repeats },
  };
}

interface Findings {
  readonly lost: string[];
  readonly phantom: string[];
  readonly doubled: string[];
  readonly wrong: string[];
}

const linesPerBody = 500;

/** One process on LMDB, undisturbed, with as many partitions. */
async function quietRun(lines: readonly string[], { log }: Settings): Promise<RunResult> {
  const parts = temporaryEmbedded(log.partitions);
  try {
    const pipeline = await startPipeline(parts);
    for (let at = 0; at < lines.length; at += linesPerBody)
      await pipeline.intake.accept(body(lines.slice(at, at + linesPerBody)));
    await pipeline.drained();
    await pipeline.stop();
    const contradictions: Findings = { lost: [], phantom: [], doubled: [], wrong: [] };
    const hits = await hitsOf(parts.log, contradictions);
    const stored = await storedOf(parts, contradictions);
    const [contradiction] = [...contradictions.wrong, ...contradictions.doubled];
    if (contradiction !== undefined) throw new Error(`the quiet run contradicts itself: ${contradiction}`);
    return {
      transactions: await transactionsOn(parts.log),
      hits: hits.byId,
      warnings: new Map([...stored].map(([id, one]) => [id, timeless(one)])),
    };
  } finally {
    await parts.remove();
  }
}

function compareKeys(what: string, expected: ReadonlySet<string>, found: ReadonlySet<string>, { lost, phantom }: Findings): void {
  for (const key of expected) if (!found.has(key)) lost.push(`${what} ${key}`);
  for (const key of found) if (!expected.has(key)) phantom.push(`${what} ${key}`);
}

function compareValues(
  what: string,
  expected: ReadonlyMap<string, unknown>,
  found: ReadonlyMap<string, unknown>,
  findings: Findings,
): void {
  compareKeys(what, new Set(expected.keys()), new Set(found.keys()), findings);
  for (const [id, value] of expected) {
    const [was, is] = [JSON.stringify(value), JSON.stringify(found.get(id))];
    if (is !== undefined && was !== is) findings.wrong.push(`${what} ${id}: ${difference(was, is)}`);
  }
}

async function hitsOf(log: Log, { wrong }: Findings): Promise<{ byId: Map<string, unknown>; repeats: number }> {
  const byId = new Map<string, unknown>();
  let repeats = 0;
  for (const { data } of await hitsOn(log)) {
    const { receivedAtMs: _, ...hit } = data as Hit;
    const before = byId.get(hit.id);
    if (before === undefined) byId.set(hit.id, hit);
    else repeats++;
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(hit)) wrong.push(`hit ${hit.id} has two contents`);
  }
  return { byId, repeats };
}

interface ToldWarnings {
  readonly latest: ReadonlyMap<string, Warning>;
  /** Levels that it ever had, by warning. */
  readonly levels: ReadonlyMap<string, ReadonlySet<Level>>;
  readonly repeats: number;
}

/** Readers drop a revision that they know, so the same one may lie on the log twice, but not with another text. */
async function toldOf(log: Log, { doubled }: Findings): Promise<ToldWarnings> {
  const texts = new Map<string, string>();
  const latest = new Map<string, Warning>();
  const levels = new Map<string, Set<Level>>();
  let repeats = 0;
  for (const { type, data } of await eventsOn(log, 'warnings')) {
    const warning = data as Warning;
    const revision = `${warning.id}#${warning.revision}`;
    const text = JSON.stringify([type, warning]);
    const before = texts.get(revision);
    if (before === undefined) texts.set(revision, text);
    else repeats++;
    if (before !== undefined && before !== text) doubled.push(`warning ${revision} was told in two ways`);
    if ((type === 'warning.raised') !== (warning.revision === 1)) doubled.push(`${type} with revision ${warning.revision}`);
    if (warning.revision > (latest.get(warning.id)?.revision ?? 0)) latest.set(warning.id, warning);
    levels.set(warning.id, (levels.get(warning.id) ?? new Set()).add(warning.level));
  }
  for (const { id, revision } of latest.values())
    for (let one = 1; one < revision; one++) if (!texts.has(`${id}#${one}`)) doubled.push(`warning ${id}#${one} was left out`);
  return { latest, levels, repeats };
}

/** Hits too weak to tell of are kept without a warning. */
async function storedOf({ log, state }: Pick<AuditInput, 'log' | 'state'>, { doubled }: Findings): Promise<Map<string, Warning>> {
  const warnings = new Map<string, Warning>();
  for (let partition = 0; partition < log.partitions('hits'); partition++) {
    for (const { value } of await state.scan(`warn/${partition}`, { prefix: 'w/', limit: 100_000 })) {
      const { warning } = JSON.parse(Buffer.from(value).toString()) as { warning: Warning | null };
      if (!warning) continue;
      if (warnings.has(warning.id)) doubled.push(`warning ${warning.id} is stored twice`);
      warnings.set(warning.id, warning);
    }
  }
  return warnings;
}

function checkTold(told: ReadonlyMap<string, Warning>, stored: ReadonlyMap<string, Warning>, { wrong }: Findings): void {
  for (const [id, warning] of stored)
    if (JSON.stringify(told.get(id)) !== JSON.stringify(warning)) wrong.push(`warning ${id}: what is stored was not told`);
  for (const id of told.keys()) if (!stored.has(id)) wrong.push(`warning ${id} was told and is not stored`);
}

/**
 * Every warning that concerns the recipient came under the id of its last level, and every webhook bears the id of a level that was
 * told. What it says may be younger than its id: an attempt sends the warning as it is by then.
 */
function checkReceived({ received, recipient }: AuditInput, { latest, levels }: ToldWarnings, findings: Findings): void {
  const ids = new Set<string>();
  for (const [id, ofWarning] of levels) for (const level of ofWarning) ids.add(deliveryId(id, level, recipient.id, 'webhook'));
  for (const warning of latest.values()) {
    const { id, level } = warning;
    if (recipientsOf(warning, [recipient]).length === 0) continue;
    if (!received.byId.has(deliveryId(id, level, recipient.id, 'webhook'))) findings.lost.push(`webhook of ${id} at ${level}`);
  }
  for (const [id, { warning, level }] of received.byId) {
    if (!ids.has(id)) findings.phantom.push(`webhook ${id} of ${warning}`);
    if (!levels.get(warning)?.has(level)) findings.phantom.push(`webhook ${id}: ${warning} was never at ${level}`);
  }
  if (received.invalid > 0) findings.wrong.push(`${received.invalid} webhooks whose signature does not verify`);
}

interface Ids {
  readonly hits: ReadonlySet<string>;
  readonly warnings: ReadonlySet<string>;
}

async function checkArchive({ settings, accepted }: AuditInput, ids: Ids, findings: Findings): Promise<void> {
  const warehouse = await openWarehouse(settings);
  try {
    const transactions = new Set(accepted.map((line) => (JSON.parse(line) as { id: string }).id));
    for (const [table, expected] of Object.entries({ transactions, ...ids })) {
      const sql = `SELECT id, count() AS n FROM ${table} FINAL GROUP BY id`;
      const rows = await warehouse.query<{ id: string; n: number | string }>(sql);
      compareKeys(`row of ${table}`, expected, new Set(rows.map(({ id }) => id)), findings);
      for (const { id, n } of rows) if (Number(n) !== 1) findings.doubled.push(`row of ${table} ${id}: ${n} times`);
    }
  } finally {
    await warehouse.close();
  }
}

/** Without what tells of the clock and of how hits fell into batches. */
function timeless({ revision: _r, raisedAt: _a, receivedAt: _c, dueAt: _d, ...warning }: Warning): unknown {
  return warning;
}

function difference(was: string, is: string): string {
  let at = 0;
  while (at < was.length && was[at] === is[at]) at++;
  const excerpt = (text: string) => text.slice(Math.max(0, at - 20), at + 40);
  return `…${excerpt(was)}… is …${excerpt(is)}…`;
}
