import { expect, it } from 'vitest';
import { createWaitingRoom } from '../../../src/adapters/log/waiting-room.js';

function room() {
  const told: string[] = [];
  return {
    told,
    ...createWaitingRoom(
      () => told.push('wait'),
      () => told.push('idle'),
    ),
  };
}

it('asks for the end of a partition only where somebody waits for it: an append costs nothing else', async () => {
  const { wait, note, isEmpty, close } = room();
  let asked = 0;
  const next = () => ++asked;
  expect(note('hits', 0, next)).toBe(false);
  const waiting = wait('hits', 1, 1, 10_000);
  expect(note('hits', 0, next)).toBe(false);
  expect(asked).toBe(0);
  expect(note('hits', 1, next)).toBe(false);
  expect(note('hits', 1, next)).toBe(true);
  expect(asked).toBe(2);
  expect(await waiting).toBe(true);
  expect(isEmpty()).toBe(true);
  close();
});

it('lets everybody go by time, by signal and when it is closed, and nobody in afterwards', async () => {
  const { told, wait, places, close } = room();
  const leaving = new AbortController();
  const [timedOut, left, closed] = [
    wait('hits', 0, 5, 10),
    wait('hits', 0, 5, 10_000, leaving.signal),
    wait('legs', 2, 5, 10_000),
  ];
  expect(places()).toMatchObject([
    { topic: 'hits', partition: 0 },
    { topic: 'legs', partition: 2 },
  ]);
  expect(await timedOut).toBe(false);
  leaving.abort();
  expect(await left).toBe(false);
  expect(told).toEqual(['wait', 'wait', 'wait']);
  close();
  expect(await closed).toBe(false);
  expect(await wait('hits', 0, 5, 10_000)).toBe(false);
  expect(told).toEqual(['wait', 'wait', 'wait', 'idle']);
});
