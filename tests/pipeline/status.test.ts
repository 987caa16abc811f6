import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpDependencies } from '../../src/http/dependencies.js';
import { hitSchema } from '../../src/domain/hit.js';
import { createStatus } from '../../src/pipeline/status.js';
import type { Warehouse } from '../../src/ports/warehouse.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { hitsOn, temporaryEmbedded, type EmbeddedParts } from '../support/embedded.js';
import { startPipeline } from '../support/pipeline.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import { contentsOfLog, openWarehouse, startArchive } from './archive-support.js';

let parts: EmbeddedParts & { remove(): Promise<void> };
let warehouse: Warehouse;
beforeEach(async () => {
  parts = temporaryEmbedded();
  warehouse = await openWarehouse(parts.directory);
});
afterEach(async () => {
  await warehouse.close();
  await parts.remove();
});

const idle = { lag: () => Promise.resolve(0), owned: () => [{ isOpen: true }] };

function statusOver(
  counted: Warehouse,
  consumers: Parameters<typeof createStatus>[0]['consumers'] = [],
  now = { ms: Date.now() },
) {
  const telemetry = createTelemetry({ level: 'silent', now: () => now.ms });
  const status = createStatus({
    warehouse: counted,
    telemetry,
    clock: { now: () => now.ms },
    settings: { cacheMs: 2000 },
    consumers,
    reachState: () => Promise.resolve(),
    usesWarehouse: true,
    archiveLag: () => Promise.resolve(0),
    scoreLag: () => Promise.resolve(0),
    scoresHere: true,
    deliveriesPending: () => Promise.resolve(3),
    patternSet: () => Promise.resolve('set-1'),
  });
  return { status, telemetry, now };
}

describe('status', () => {
  test('counts what the warehouse holds, each thing once', async () => {
    const pipeline = await startPipeline(parts);
    const lines = makeStream({ transactions: 400, seed: 5 });
    await pipeline.intake.accept(body([...lines, '{"id":"broken"}', lines[0] ?? '']));
    await pipeline.intake.accept(
      body(['{"id":"broken"}', ...Object.values(exampleRecords).map((record) => JSON.stringify(record))]),
    );
    await pipeline.drained();
    await pipeline.stop();
    const archive = await startArchive(parts, warehouse);
    await archive.drained();
    await archive.leave();
    const contents = await contentsOfLog(parts.log);

    const { status, telemetry } = statusOver(warehouse);
    telemetry.warningRaised({ level: 'red', family: 'f', latencyMs: 40 });
    const summary: Awaited<ReturnType<HttpDependencies['status']>> = await status.summary();
    expect(summary).toMatchObject({
      patternSet: 'set-1',
      transactions: { accepted: 400, conflicts: 0, scored: 400 },
      references: { accepted: 7 },
      rejected: { total: 1 },
      deliveries: { pending: 3, delivered: 0 },
      latencyMs: { p50: 40, p99: 40 },
    });
    const found = new Map((await hitsOn(parts.log)).map(({ id, data }) => [id, hitSchema.parse(data).state]));
    const active = [...found.values()].filter((state) => state === 'active').length;
    expect(active).toBeGreaterThan(0);
    expect(contents.hits.length).toBeGreaterThan(active);
    expect(summary.hits).toMatchObject({ total: active, shadows: { total: contents.hits.length - active } });
    expect(Object.values(summary.hits.byPattern).reduce((sum, count) => sum + count, 0)).toBe(active);
    expect(summary.warnings.total).toBe(contents.warnings.length);
    expect(summary.warnings.open).toBe(contents.warnings.length);
  });

  test('does not count again within two seconds, nor sooner than ten times as long as a count took', async () => {
    const now = { ms: 1_000_000 };
    let queries = 0;
    let slowMs = 0;
    const watched: Warehouse = {
      ...warehouse,
      query: (sql, parameters) => {
        queries++;
        now.ms += slowMs;
        return warehouse.query(sql, parameters);
      },
    };
    const { status } = statusOver(watched, [], now);
    await status.summary();
    const perCount = queries;
    now.ms += 1999;
    await status.summary();
    expect(queries).toBe(perCount);
    now.ms += 2;
    slowMs = 100;
    await status.summary();
    await status.readiness();
    await expect.poll(() => queries).toBe(2 * perCount);
    slowMs = 0;
    now.ms += 9 * 100 * perCount;
    await status.summary();
    expect(queries).toBe(2 * perCount);
  });

  /** A status at 1,000,000 ms, over a warehouse that holds as many transactions as `found` says: 7 at first. */
  function statusThatCounts() {
    const now = { ms: 1_000_000 };
    const found = { count: 7 };
    const counted: Warehouse = {
      ...warehouse,
      query: (sql, parameters) =>
        sql.includes('FROM transactions ') ? Promise.resolve([{ ...found }] as never) : warehouse.query(sql, parameters),
    };
    return { ...statusOver(counted, [], now), now, found };
  }

  test('says when it counted, and counts anew for whoever asks after a silence', async () => {
    const { status, now, found } = statusThatCounts();
    const summary = async () => {
      const { countedAt, transactions } = await status.summary();
      return [Date.parse(countedAt), transactions.accepted];
    };
    expect(await summary()).toEqual([1_000_000, 7]);
    found.count = 8;
    now.ms += 1_999;
    expect(await summary()).toEqual([1_000_000, 7]);
    now.ms += 90_000;
    expect(await summary()).toEqual([1_091_999, 8]);
  });

  test('counts on where the clock has been set back', async () => {
    const { status, now, found } = statusThatCounts();
    await status.summary();
    found.count = 8;
    now.ms -= 600_000;
    const { countedAt, transactions } = await status.summary();
    expect([Date.parse(countedAt), transactions.accepted]).toEqual([400_000, 8]);
  });

  test('is not ready when a consumer has stopped, is far behind, or the warehouse is away, and says which', async () => {
    const healthy = { name: 'score', done: new Promise<void>(() => undefined), ...idle };
    expect(await statusOver(warehouse, [healthy]).status.readiness()).toEqual({ ready: true, problems: [] });

    const stopped = { ...healthy, name: 'warn', done: Promise.reject(new Error('fault')) };
    const behind = { ...healthy, name: 'dispatch', lag: () => Promise.resolve(20_000) };
    const away: Warehouse = { ...warehouse, query: () => Promise.reject(new Error('connect ECONNREFUSED')) };
    const { status, telemetry } = statusOver(away, [healthy, stopped, behind]);
    telemetry.archiveRetried({ topic: 'hits', partition: 1, table: 'hits', attempt: 1, delayMs: 1, error: new Error('away') });
    const { ready, problems } = await status.readiness();
    expect(ready).toBe(false);
    const subjects = problems.map((problem) => problem.split(/[:;]/)[0] ?? '');
    expect(subjects.sort()).toEqual(['archive', 'dispatch', 'the warehouse does not answer', 'warn']);
  });

  test('a pattern set that cannot be loaded is told, and takes no traffic away', async () => {
    const { status, telemetry } = statusOver(warehouse);
    telemetry.patternSetWaits(0, { patternSet: 'newer', inForce: 'set-1', error: new Error('unknown severity') });
    const problems = [expect.stringMatching(/^patterns: the set newer cannot be loaded/) as string];
    expect(await status.readiness()).toEqual({ ready: true, problems });
    expect(status.health()).toEqual(problems);
    telemetry.patternSetTaken({ partition: 0, patternSet: 'newer', how: 'adopted', durationMs: 1 });
    expect(await status.readiness()).toEqual({ ready: true, problems: [] });
  });
});
