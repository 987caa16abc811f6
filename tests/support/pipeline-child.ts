import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openEmbedded } from './embedded.js';
import { startPipeline } from './pipeline.js';
import { body, makeStream } from './stream.js';

/**
 * A bank and the platform in one process that may be killed at any moment: sends a stream body by body, notes how many were
 * answered, and after a restart sends from the last two answered ones on, as a careful bank does.
 * Arguments: directory, transactions, transactions per body, pause between bodies in ms.
 */
const [directory = '', transactions = '1000', perBody = '100', pauseMs = '0'] = process.argv.slice(2);
const lines = makeStream({ transactions: Number(transactions), seed: 7 });
const answeredFile = join(directory, 'answered');
const answered = existsSync(answeredFile) ? Number(readFileSync(answeredFile, 'utf8') || '0') : 0;

const parts = openEmbedded(directory);
process.stdout.write('opened\n');
const pipeline = await startPipeline({ ...parts, score: { limit: { recordsMax: 4, bytesMax: 2 ** 20 } } });
process.stdout.write('running\n');
for (let number = Math.max(0, answered - 2); number * Number(perBody) < lines.length; number++) {
  const part = lines.slice(number * Number(perBody), (number + 1) * Number(perBody));
  const results = await pipeline.intake.accept(body(part));
  const refused = results.find(({ status }) => status === 'rejected' || status === 'conflict');
  if (refused) throw new Error(`line ${refused.line} of body ${number}: ${refused.reason ?? ''} ${refused.message ?? ''}`);
  writeFileSync(answeredFile, String(Math.max(answered, number + 1)));
  if (Number(pauseMs) > 0) await wait(Number(pauseMs));
}
await pipeline.drained();
await pipeline.stop();
await parts.close();
process.stdout.write('finished\n');
