/** Commits 100 KB after 100 KB until the disk refuses, then says what is kept and whether the store still works. */
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openEnvironment } from '../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../src/adapters/state/lmdb.js';

let unhandled = 0;
process.on('unhandledRejection', () => unhandled++);

const environment = openEnvironment({ directory: process.argv[2] ?? '' });
const state = createLmdbState(environment);
const value = Buffer.alloc(100_000, 1);
let kept = 0;
let error: unknown;
while (!error && kept < 1_000) {
  try {
    await state.commit('s', { put: [{ key: `${kept}`, value }] });
    kept++;
  } catch (caught) {
    error = caught;
  }
}
await pause(100);
const stored = await state.get(
  's',
  Array.from({ length: kept }, (_, i) => `${i}`),
);
const lost = stored.filter((bytes) => bytes?.length !== value.length).length;
const after = await state.commit('s', { delete: ['0', '1'] });
const { name, message } = error instanceof Error ? error : new Error('nothing refused');
const isTold = await Promise.race([environment.lost.catch((fault: unknown) => fault === error), pause(1_000)]);
writeSync(1, `\n${JSON.stringify({ error: name, message, kept, lost, unhandled, after, isTold })}\n`);
await environment.close();
