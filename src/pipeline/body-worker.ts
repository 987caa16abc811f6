import { parentPort, workerData } from 'node:worker_threads';
import { linesOf } from './body-reader.js';
import type { ReadAnswer, ReadOrder } from './body-threads.js';
import { createLineReader, type LineReaderOptions } from './intake-lines.js';
import { createViewKeeper } from './frame-views.js';
import { buffersOf, packLines, type LineBlock } from './line-block.js';

/** The thread that reads bodies, one after the other. */

const options = workerData as LineReaderOptions;
const readLine = createLineReader(options);

parentPort!.on('message', (order: ReadOrder) => {
  const block = readBody(order);
  const answer: ReadAnswer = { number: order.number, block };
  parentPort!.postMessage(answer, block ? buffersOf(block) : []);
});

/** Null where a line broke it: it breaks whoever reads it next as well, and they are asked. */
function readBody({ bytes, about }: ReadOrder): LineBlock | null {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const lines = [];
    const views = options.keepsViews ? createViewKeeper(body.length) : null;
    for (const { line } of linesOf(body, about, readLine, views)) if (line) lines.push(line);
    return packLines({ lines, views: views?.table() ?? null }, body);
  } catch {
    return null;
  }
}
