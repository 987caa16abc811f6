import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createBodyReader, type AboutBody, type BodyReader, type ReadBody } from '../../src/pipeline/body-reader.js';
import { viewOfRow } from '../../src/pipeline/frame-views.js';
import type { Line } from '../../src/pipeline/intake-lines.js';
import { packLines, unpackLines } from '../../src/pipeline/line-block.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { temporaryDirectory } from '../adapters/temporary-directory.js';
import { exampleRecords } from '../support/references.js';
import { makeStream } from '../support/stream.js';

type Threads = typeof import('../../src/pipeline/body-threads.js');

/** A thread runs what was built. */
const built = new URL('../../dist/body-threads.js', import.meta.url).href;
const { createThreadedBodyReader } = (await import(built)) as Threads;

const options = { partitions: 5, futureMsMax: 120_000, hashKey: { low: 7, high: -9 }, keepsViews: true };
const about: AboutBody = {
  attempt: 'attempt-1',
  bank: undefined,
  isBank: true,
  only: undefined,
  receivedAtMs: Date.parse('2026-07-03T00:00:00+08:00'),
};
/** Everything that a line may be: taken, refused for many reasons, written in another way, a record, blank. */
const lines = [
  ...makeStream({ transactions: 300, seed: 9 }),
  ...Object.values(exampleRecords).map((record) => JSON.stringify(record)),
  '',
  '{"id":"cut',
  ' \t\r',
  '{"id":"\\u0041-1","time":"2026-07-01T09:30:00+08:00","amountFen":5,"payer":{"account":"41001"},"payee":{"account":"41002"}}',
  '{"id":"late","time":"2036-07-01T09:30:00+08:00","amountFen":5,"payer":{"account":"41001"},"payee":{"account":"41002"}}',
  '{"id":"minus","time":"2026-07-01T09:30:00+08:00","amountFen":-5,"payer":{"account":"41001"},"payee":{"account":"41002"}}',
  '警告',
];
const body = Buffer.from(lines.concat(lines.map((line) => line.replace('"id":"', '"id":"again-'))).join('\n'));

let readers: BodyReader[] = [];
afterEach(async () => {
  await Promise.all(readers.splice(0).map((reader) => reader.close()));
});

describe('lines that were read on another thread', () => {
  test('are those that this one reads', async () => {
    expect(body.length).toBeGreaterThan(64 * 1024);
    const { lines: here } = await createBodyReader(options).read(body, about);
    expect(new Set(here.map(({ kind }) => kind))).toEqual(new Set(['candidate', 'refused']));
    expect(here.filter((line) => line.bytes !== body).length).toBeGreaterThan(3);
    const { lines: there } = await open().read(body, about);
    expect(there.map(plain)).toEqual(here.map(plain));
    expect(there.filter((line) => line.bytes === body).length).toBe(here.filter((line) => line.bytes === body).length);
  });

  test('however many bodies are on their way, each gets its own', async () => {
    const reader = open();
    const bodies = Array.from({ length: 12 }, (_, n) => Buffer.from(`${body.toString()}\n{"id":"broken-${n}"}`));
    const expected = await Promise.all(bodies.map((one) => createBodyReader(options).read(one, about)));
    const read = await Promise.all(bodies.map((one, n) => reader.read(one, { ...about, attempt: `attempt-${n}` })));
    for (const [n, found] of read.entries()) {
      expect(found.lines.map(plain)).toEqual(
        expected[n]!.lines.map((line) => ({ ...plain(line), ...attemptOf(line, `attempt-${n}`) })),
      );
    }
  });

  test('of a thread that is lost are read here, and that is told', async () => {
    const directory = temporaryDirectory();
    const script = join(directory.path, 'dies.mjs');
    writeFileSync(script, "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3));");
    const lost: unknown[] = [];
    const reader = open({ threads: 1, script: pathToFileURL(script), onLost: (fault) => lost.push(fault) });
    const expected = await createBodyReader(options).read(body, about);
    for (let time = 0; time < 2; time++)
      expect((await reader.read(body, about)).lines.map(plain)).toEqual(expected.lines.map(plain));
    expect(lost.map(String)).toEqual(['Error: the thread ended with 3']);
    directory.remove();
  });

  test('after it is closed nothing waits for ever', async () => {
    const reader = open();
    const reading = reader.read(body, about);
    await reader.close();
    expect((await reading).lines).toHaveLength((await createBodyReader(options).read(body, about)).lines.length);
  });
});

test('a block of lines gives the same lines again', async () => {
  const read = await createBodyReader(options).read(body, about);
  const again = unpackLines(structuredClone(packLines(read, body)), body, about.attempt);
  expect(again.lines.map(plain)).toEqual(read.lines.map(plain));
});

describe('what is kept of each transaction is what the reader finds in it', () => {
  test('on this thread', async () => expectViews(await createBodyReader(options).read(body, about)));

  test('and on another', async () => expectViews(await open().read(body, about)));

  test('and nothing where nobody looks for it', async () => {
    const { lines: read, views } = await createBodyReader({ ...options, keepsViews: false }).read(body, about);
    expect(views).toBeNull();
    expect(read.every((line) => line.kind === 'refused' || line.viewRow === -1)).toBe(true);
  });
});

function expectViews({ lines: read, views }: ReadBody): void {
  const rows = read.flatMap((line) => (line.kind === 'candidate' && !line.partitions ? [line] : []));
  expect(rows.length).toBeGreaterThan(600);
  expect(new Set(rows.map(({ viewRow }) => viewRow)).size).toBe(rows.length);
  for (const { bytes, start, end, viewRow } of rows) {
    const [kept, found] = [new TransactionView(), new TransactionView()];
    const moved = Buffer.concat([Buffer.from('....'), bytes.subarray(start, end)]);
    expect(viewOfRow(views!, viewRow, moved, 4, moved.length, kept)).toBe(true);
    expect(scanTransaction(moved, 4, moved.length, found)).toBe(true);
    expect(kept).toEqual(found);
  }
}

function open(changes: Partial<Parameters<typeof createThreadedBodyReader>[1]> = {}): BodyReader {
  const onLost = (fault: unknown): void => {
    throw fault;
  };
  const reader = createThreadedBodyReader(options, { threads: 2, onLost, ...changes });
  readers.push(reader);
  return reader;
}

/** The record's bytes instead of where they lie. */
function plain({ bytes, start, end, ...line }: Line) {
  return { ...line, record: bytes.toString('latin1', start, end) };
}

function attemptOf(line: Line, attempt: string): { attempt?: string } {
  return line.kind === 'candidate' ? { attempt } : {};
}
