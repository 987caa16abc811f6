import { expect, test } from 'vitest';
import { createDeliveryLanes, type AttemptResult, type WaitingDelivery } from '../../src/pipeline/delivery-lanes.js';

const settings = { concurrencyMax: 4, perEndpointMax: 1, pendingPerEndpointMax: 10, breakAfterFailures: 1, restMs: 60_000 };
const deliveryTo = (lane: string): WaitingDelivery => ({ id: `${lane}/1`, lane, level: 'red', dueMs: 0 });

function lanesWith(results: AttemptResult[]) {
  const told: string[] = [];
  let nowMs = 0;
  const lanes = createDeliveryLanes({
    settings,
    clock: { now: () => nowMs },
    attempt: () => Promise.resolve(results.shift() ?? 'answered'),
    telemetry: {
      endpointRests: (endpoint) => void told.push(`${endpoint} rests`),
      endpointRecovered: (endpoint) => void told.push(`${endpoint} answers`),
      endpointForgotten: (endpoint) => void told.push(`${endpoint} forgotten`),
    },
  });
  const attempted = async (lane: string) => {
    nowMs += 100_000;
    lanes.add([deliveryTo(lane)]);
    await expect.poll(() => lanes.pending).toBe(0);
  };
  return { lanes, told, attempted };
}

test('an endpoint that answers is said to answer, one that is gone is forgotten', async () => {
  const { told, attempted } = lanesWith(['failed', 'answered', 'failed', 'gone', 'failed']);
  for (const lane of ['a', 'a', 'b', 'b', 'b']) await attempted(lane);
  expect(told).toEqual(['a rests', 'a answers', 'b rests', 'b forgotten', 'b rests']);
});

test('what failed and is gone is forgotten without another attempt, and everything when it stops', async () => {
  const { lanes, told, attempted } = lanesWith(['failed', 'failed', 'failed']);
  for (const lane of ['a', 'b', 'c']) await attempted(lane);
  lanes.forget((lane) => lane === 'b');
  lanes.forget((lane) => lane === 'b');
  await lanes.stop();
  expect(told).toEqual(['a rests', 'b rests', 'c rests', 'b forgotten', 'a forgotten', 'c forgotten']);
});
