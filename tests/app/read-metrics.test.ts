import { expect, test } from 'vitest';
import { readMetrics } from '../../src/app/read-metrics.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';

const telemetryOf = () => createTelemetry({ level: 'silent', now: Date.now });
const pattern = { pattern: 'V01', version: 1, state: 'active' as const, hits: 7, faults: 0, seconds: null };
const counts = () => Promise.resolve({ scored: 1_000, undecided: 0, patterns: [pattern] });
const silent = () => new Promise<never>(() => undefined);

test('metrics are told while the log and the state do not answer, within two seconds for all of them together', async () => {
  const telemetry = telemetryOf();
  const consumers = ['score', 'warn', 'dispatch'].map((name) => ({ name, topic: name, lag: () => Promise.resolve(3) }));
  const before = await readMetrics(consumers, { counts }, telemetry);
  expect(before).toContain('huqi_consumer_lag_records{group="score",topic="score"} 3');
  expect(before).toContain('huqi_pattern_hits{pattern="V01",version="1",state="active"} 7');

  const away = consumers.map((consumer) => ({ ...consumer, lag: silent }));
  const startedMs = Date.now();
  const text = await readMetrics(away, { counts: silent }, telemetry);
  expect(Date.now() - startedMs).toBeLessThan(2_000);
  // The lag is not known, and zero or three would be a lie; what the patterns did has happened.
  expect(text).not.toContain('huqi_consumer_lag_records{');
  expect(text).toContain('huqi_pattern_hits{pattern="V01",version="1",state="active"} 7');
  expect(text).toContain('huqi_process_start_time_seconds');
});

test('one store that fails takes no other figure with it', async () => {
  const consumers = [
    { name: 'score', topic: 'transactions', lag: () => Promise.reject(new Error('away')) },
    { name: 'warn', topic: 'hits', lag: () => Promise.resolve(5) },
  ];
  const text = await readMetrics(consumers, { counts: () => Promise.reject(new Error('away')) }, telemetryOf());
  expect(text).toContain('huqi_consumer_lag_records{group="warn",topic="hits"} 5');
});
