/** Takes the data directory, says so, and holds it until it is killed. */
import { writeSync } from 'node:fs';
import { acquireDataDirectory } from '../../src/adapters/data-directory.js';

try {
  await acquireDataDirectory(process.argv[2] ?? '');
  writeSync(1, 'taken\n');
  setInterval(() => undefined, 60_000);
} catch (error) {
  writeSync(1, `${String(error)}\n`);
}
