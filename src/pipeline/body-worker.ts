import { parentPort, workerData } from 'node:worker_threads';
import { linesOf } from './body-reader.js';
import type { ReadAnswer, ReadOrder } from './body-threads.js';
import { createLineReader, type LineReaderOptions } from './intake-lines.js';
import { packLines, type LineBlock } from './line-block.js';

/** The thread that reads bodies, one after the other. */

const readLine = createLineReader(workerData as LineReaderOptions);

parentPort!.on('message', (order: ReadOrder) => {
  const block = readBody(order);
  const answer: ReadAnswer = { number: order.number, block };
  parentPort!.postMessage(answer, block ? [block.words.buffer, block.timesMs.buffer] : []);
});

/** Null where a line broke it: it breaks whoever reads it next as well, and they are asked. */
function readBody({ bytes, about }: ReadOrder): LineBlock | null {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const lines = [];
    for (const { line } of linesOf(body, about, readLine)) if (line) lines.push(line);
    return packLines(lines, body);
  } catch {
    return null;
  }
}
