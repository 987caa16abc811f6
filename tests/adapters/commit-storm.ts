import process from 'node:process';
import { endCommits, openEnvironment } from '../../src/adapters/lmdb-environment.js';

/** Writes without a pause and ends in the middle of it: `commit-storm.ts DIRECTORY`. */
const environment = openEnvironment({ directory: process.argv[2]! });
const table = environment.textTable('t');
const value = Buffer.alloc(200_000, 1);

async function writeOn(writer: number): Promise<never> {
  for (let i = 0; ; i++)
    await environment.write(1_000_000, () => {
      for (let part = 0; part < 5; part++) void table.put(`${writer}/${i % 20}/${part}`, value);
    });
}

for (let writer = 0; writer < 4; writer++) void writeOn(writer);
setTimeout(() => void endCommits().then(() => process.exit(7)), 300);
