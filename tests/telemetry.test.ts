import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { logDestination } from '../src/telemetry/log-destination.js';
import { createRecentSamples } from '../src/telemetry/recent-samples.js';
import { describeFault, scrub } from '../src/telemetry/scrub.js';
import { createTelemetry } from '../src/telemetry/telemetry.js';

function recording(nowMs = { value: 1_782_869_400_000 }) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, nowMs, telemetry: createTelemetry({ level: 'debug', destination, now: () => nowMs.value }) };
}
const attempt = { delivery: 'd', recipient: 'icbc', channel: 'webhook', level: 'red', attempt: 1, latencyMs: 12 };

describe('telemetry', () => {
  test('one fact is a log line and a metric together', async () => {
    const { telemetry, lines } = recording();
    telemetry.deliveryAttempted({ ...attempt, outcome: 'refused', reason: 'answered 410' });
    expect(lines).toMatchObject([
      { msg: 'delivery given up', outcome: 'refused', reason: 'answered 410', time: '2026-07-01T01:30:00.000Z' },
    ]);
    expect(await telemetry.metrics()).toContain('huqi_delivery_attempts_total{channel="webhook",outcome="refused"} 1');
  });

  test('a log that is well again is no trouble', async () => {
    const { telemetry, lines } = recording();
    telemetry.logTroubled({ kind: 'membershipLost', detail: 'huqi-score: the heartbeat was refused' });
    telemetry.logTroubled({ kind: 'membershipRegained', detail: 'huqi-score: this process is a member again' });
    expect(lines).toMatchObject([
      { level: 40, msg: 'the log is in trouble', kind: 'membershipLost' },
      { level: 30, msg: 'the log goes on', detail: 'huqi-score: this process is a member again' },
    ]);
    const metrics = await telemetry.metrics();
    expect(metrics).toContain('huqi_log_troubles_total{kind="membershipLost"} 1');
    expect(metrics).not.toContain('membershipRegained');
  });

  test('no account number, secret or key of an error reaches a log line', () => {
    const { telemetry, lines } = recording();
    const cause = new Error('Cannot parse 410012345678901234 near whsec_c2VjcmV0c2VjcmV0');
    telemetry.consumerFailed({
      group: 'archive',
      topic: 'hits',
      error: new Error('insert failed for huqi_centre_abcdefghijklmnopqrstuv', { cause }),
    });
    const text = JSON.stringify(lines);
    expect(text).toContain('4100**********1234');
    for (const secret of ['410012345678901234', 'c2VjcmV0', 'abcdefghijkl']) expect(text).not.toContain(secret);
  });

  test('a flood of one kind writes a bounded number of lines, and the next one says how many were left out', () => {
    const { telemetry, lines, nowMs } = recording();
    for (let i = 0; i < 1000; i++) telemetry.transactionRejected('invalid');
    expect(lines).toHaveLength(20);
    nowMs.value += 1000;
    telemetry.transactionRejected('invalid');
    expect(lines.at(-1)).toMatchObject({ suppressed: 980 });
  });

  test('a flood of bank names fills neither the metrics nor the memory', async () => {
    const { telemetry } = recording();
    for (let i = 0; i < 1000; i++) telemetry.transactionsAccepted(1, `bank-${i}`);
    const series = (await telemetry.metrics()).split('\n').filter((line) => line.startsWith('huqi_transactions_accepted_total{'));
    expect(series).toHaveLength(201);
    expect(series.some((line) => line.endsWith('{bank="other"} 800'))).toBe(true);
    expect(telemetry.totals().accepted).toBe(1000);
  });

  test('the latency of the latest warnings is exact', () => {
    const { telemetry } = recording();
    expect(telemetry.warningLatency()).toEqual({ count: 0, p50Ms: null, p99Ms: null });
    for (let ms = 1; ms <= 100; ms++) telemetry.warningRaised({ level: 'red', family: 'f', latencyMs: ms });
    expect(telemetry.warningLatency()).toEqual({ count: 100, p50Ms: 50, p99Ms: 99 });
  });

  test('a warehouse that fails and comes back is seen in the metrics and said once each', async () => {
    const { telemetry, lines } = recording();
    const slice = { topic: 'hits', partition: 0, table: 'hits' };
    telemetry.archiveRetried({ ...slice, attempt: 1, delayMs: 200, error: new Error('connect ECONNREFUSED') });
    expect(telemetry.failingSlices()).toEqual(['hits/0']);
    expect(await telemetry.metrics()).toContain('huqi_archive_partitions_failing 1');
    telemetry.sliceArchived({ ...slice, rows: 3, bytes: 100, durationMs: 5 });
    expect(telemetry.failingSlices()).toEqual([]);
    expect(lines.map(({ msg }) => msg)).toEqual([
      'the warehouse did not take a slice, it is tried again',
      'the warehouse takes rows again',
    ]);
  });
});

describe('the error output', () => {
  test.runIf(existsSync('/dev/full'))('that takes nothing costs lines, which are counted, and nothing else', () => {
    const descriptor = openSync('/dev/full', 'w');
    let lost = 0;
    const destination = logDestination(descriptor, () => lost++);
    for (let i = 0; i < 200; i++) destination.write(`${'x'.repeat(1_023)}\n`);
    expect(lost).toBe(200 - 64);
    closeSync(descriptor);
  });

  test('takes each line at once', () => {
    const directory = mkdtempSync(join(tmpdir(), 'huqi-log-'));
    const descriptor = openSync(join(directory, 'log'), 'w');
    logDestination(descriptor, () => undefined).write('one\n');
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('one\n');
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
});

describe('the working-day calendar', () => {
  test('is measured, and its end is said once it is near', async () => {
    const { telemetry, lines } = recording();
    telemetry.calendarRead({ endMs: 1_798_732_800_000, lastDay: '2026-12-31', isOverdue: false });
    expect(lines).toEqual([]);
    telemetry.calendarRead({ endMs: 1_798_732_800_000, lastDay: '2026-12-31', isOverdue: true });
    expect(lines.map((line) => line['lastDay'])).toEqual(['2026-12-31']);
    expect(await telemetry.metrics()).toContain('huqi_calendar_end_timestamp_seconds 1798732800');
  });
});

describe('dashboard and alerts', () => {
  test('ask only for metrics that exist', async () => {
    const text = await recording().telemetry.metrics();
    const known = new Set(
      [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [`${name}_bucket`] : [name],
      ),
    );
    for (const file of ['config/grafana/huqi.json', 'config/prometheus/alerts.yml']) {
      const asked = [...readFileSync(new URL(`../${file}`, import.meta.url), 'utf8').matchAll(/huqi_[a-z0-9_]+/g)].map(
        ([name]) => name,
      );
      expect(asked.length).toBeGreaterThan(4);
      expect(asked.filter((name) => !known.has(name))).toEqual([]);
    }
  });
});

describe('recent samples', () => {
  test('only the latest count', () => {
    const samples = createRecentSamples(3);
    for (const value of [1000, 1, 2, 3]) samples.add(value);
    expect([samples.percentile(0.5), samples.percentile(0.99), samples.count]).toEqual([2, 3, 4]);
  });
});

describe('scrubbing', () => {
  test('numbers are masked as people write them', () => {
    const written = [
      ['6222 0211 1234 5678 901', '6222***********8901'],
      ['6222-0211-1234-5678', '6222********5678'],
      ['６２２２０２１１１２３４５６７８９０１', '6222***********8901'],
      ['410105 19900101 123X', '4101**********123X'],
      ['13812345678', '138****5678'],
      ['138 1234 5678', '138****5678'],
      ['4100123456', '4100**3456'],
    ] as const;
    for (const [text, masked] of written) expect(scrub(`near ${text}, refused`)).toBe(`near ${masked}, refused`);
    expect(scrub('whsec_ab123456789012345cdefgh huqi_bank_ab123456789012345cdefgh')).toBe('whsec_*** huqi_***');
  });

  test('short numbers stay readable, long texts are cut, faults without words are named', () => {
    expect(scrub('answered 503 after 5000 ms')).toBe('answered 503 after 5000 ms');
    expect(scrub('x'.repeat(10_000)).length).toBeLessThan(600);
    expect(describeFault(undefined)).toBe('');
    expect(describeFault({ code: 7 })).toBe('{"code":7}');
  });
});
