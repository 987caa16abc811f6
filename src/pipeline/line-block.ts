import type { ReadBody } from './body-reader.js';
import type { ViewTable } from './frame-views.js';
import type { Candidate, Line } from './intake-lines.js';

/**
 * The lines of a body on their way from one thread to another. Nearly all of them are transactions that stand in the body as
 * they will stand on the log: eleven words and a time each, their ids in one text. The others travel as they are.
 */
export interface LineBlock {
  readonly count: number;
  readonly words: Int32Array<ArrayBuffer>;
  readonly timesMs: Float64Array<ArrayBuffer>;
  /** One behind the other, with a line break after each: none holds one. */
  readonly ids: string;
  readonly banks: readonly string[];
  readonly views: ViewTable | null;
  readonly others: readonly { readonly at: number; readonly line: Line; readonly isInBody: boolean }[];
}

const word = {
  number: 0,
  start: 1,
  end: 2,
  identityLow: 3,
  identityHigh: 4,
  contentLow: 5,
  contentHigh: 6,
  payerPartition: 7,
  payeePartition: 8,
  bank: 9,
  viewRow: 10,
  width: 11,
} as const;

const nothing = Buffer.alloc(0);

/** `body`: the bytes that the lines were read from. */
export function packLines({ lines, views }: ReadBody, body: Buffer): LineBlock {
  const words = new Int32Array(lines.length * word.width);
  const timesMs = new Float64Array(lines.length);
  const banks = new Map<string, number>();
  const others: { at: number; line: Line; isInBody: boolean }[] = [];
  let ids = '';
  let packed = 0;
  for (const [at, line] of lines.entries()) {
    if (line.kind !== 'candidate' || line.bytes !== body || line.partitions) {
      const isInBody = line.bytes === body;
      others.push({ at, line: isInBody ? { ...line, bytes: nothing } : line, isInBody });
      continue;
    }
    let bank = banks.get(line.bank);
    if (bank === undefined) banks.set(line.bank, (bank = banks.size));
    const base = packed * word.width;
    words[base + word.number] = line.number;
    words[base + word.start] = line.start;
    words[base + word.end] = line.end;
    words[base + word.identityLow] = line.identityLow;
    words[base + word.identityHigh] = line.identityHigh;
    words[base + word.contentLow] = line.contentLow;
    words[base + word.contentHigh] = line.contentHigh;
    words[base + word.payerPartition] = line.payerPartition;
    words[base + word.payeePartition] = line.payeePartition;
    words[base + word.bank] = bank;
    words[base + word.viewRow] = line.viewRow;
    timesMs[packed++] = line.timeMs;
    ids += `${line.id}\n`;
  }
  return { count: lines.length, words, timesMs, ids, banks: [...banks.keys()], views, others };
}

/** What goes over to the other thread as it is. */
export function buffersOf({ words, timesMs }: LineBlock): ArrayBuffer[] {
  return [words.buffer, timesMs.buffer];
}

/** The same lines, over `body`. */
export function unpackLines(
  { count, words, timesMs, ids, banks, views, others }: LineBlock,
  body: Buffer,
  attempt: string,
): ReadBody {
  const lines: Line[] = [];
  let [packed, other, idStart] = [0, 0, 0];
  for (let at = 0; at < count; at++) {
    const apart = others[other];
    if (apart?.at === at) {
      const { bytes } = apart.line;
      const own = apart.isInBody ? body : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      lines.push({ ...apart.line, bytes: own });
      other++;
      continue;
    }
    const idEnd = ids.indexOf('\n', idStart);
    lines.push(candidateAt(packed++, ids.slice(idStart, idEnd)));
    idStart = idEnd + 1;
  }
  return { lines, views };

  function candidateAt(place: number, id: string): Candidate {
    const base = place * word.width;
    return {
      kind: 'candidate',
      number: words[base + word.number]!,
      id,
      bank: banks[words[base + word.bank]!]!,
      bytes: body,
      start: words[base + word.start]!,
      end: words[base + word.end]!,
      attempt,
      outcome: undefined,
      identityLow: words[base + word.identityLow]!,
      identityHigh: words[base + word.identityHigh]!,
      timeMs: timesMs[place]!,
      contentLow: words[base + word.contentLow]!,
      contentHigh: words[base + word.contentHigh]!,
      payerPartition: words[base + word.payerPartition]!,
      payeePartition: words[base + word.payeePartition]!,
      viewRow: words[base + word.viewRow]!,
      partitions: null,
    };
  }
}
