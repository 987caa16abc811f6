import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Problem } from './problem.js';

export interface BodyLimits {
  /** After decompression. */
  readonly bodyBytesMax: number;
  /** On the wire, over each `slowBodyMs`. */
  readonly bodyBytesPerSecondMin: number;
  readonly slowBodyMs: number;
}

/**
 * Reads a request's body whole. Throws `Problem` 413 for one that is too long, 415 for an encoding other than gzip, 400 for a
 * broken gzip stream or a connection that ended early, 408 for a body that comes too slowly: it would keep others waiting.
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new Problem(415, 'unsupported-media-type', `Content-Encoding ${clip(encoding)} is not supported; use gzip or none.`, {
      headers: { 'accept-encoding': 'gzip, identity' },
    });
  }
  const bytesMax = limits.bodyBytesMax;
  const declared = Number(request.headers['content-length'] ?? NaN);
  if (declared > bytesMax) {
    await drain(request, declared);
    throw tooLarge(bytesMax);
  }
  const pace = watchPace(request, limits);
  try {
    if (encoding === 'identity') return await collect(request, bytesMax, pace.slow, () => drain(request, bytesMax));
    const gunzip = createGunzip();
    request.on('error', (error) => gunzip.destroy(error));
    request.on('close', () => {
      if (!request.complete) gunzip.destroy(new Error('connection ended early'));
    });
    request.pipe(gunzip);
    return await collect(gunzip, bytesMax, pace.slow, async () => {
      request.unpipe(gunzip);
      gunzip.destroy();
      await drain(request, bytesMax);
    });
  } finally {
    pace.stop();
  }
}

/** `slow` rejects once a stretch of `slowBodyMs` has brought too little. The server's own time-out bounds the request as a whole. */
function watchPace(request: IncomingMessage, limits: BodyLimits): { readonly slow: Promise<never>; stop(): void } {
  const bytesMin = (limits.bodyBytesPerSecondMin * limits.slowBodyMs) / 1000;
  let bytes = 0;
  const count = (chunk: Buffer) => void (bytes += chunk.length);
  request.on('data', count);
  let timer: NodeJS.Timeout | undefined;
  let look: NodeJS.Immediate | undefined;
  const slow = new Promise<never>((_resolve, reject) => {
    timer = setInterval(() => {
      // What came while this process was busy is read before it is judged.
      look = setImmediate(() => {
        if (bytes < bytesMin && !request.readableEnded) reject(tooSlow(limits));
        bytes = 0;
      });
    }, limits.slowBodyMs);
  });
  slow.catch(() => undefined);
  return {
    slow,
    stop() {
      clearInterval(timer);
      clearImmediate(look);
      request.off('data', count);
    },
  };
}

async function collect(
  stream: Readable,
  bytesMax: number,
  slow: Promise<never>,
  onTooLarge: () => Promise<void>,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const whole = new Promise<'whole' | 'too-large'>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bytesMax) return void chunks.push(chunk);
      stream.off('data', onData);
      stream.pause();
      resolve('too-large');
    };
    stream.on('data', onData);
    stream.once('end', () => resolve('whole'));
    stream.once('error', () => reject(new Problem(400, 'malformed', 'The body is not a valid gzip stream or ended early.')));
    stream.once('close', () => reject(new Problem(400, 'malformed', 'The connection ended before the body was complete.')));
  });
  const outcome = await Promise.race([whole, slow]);
  if (outcome === 'too-large') {
    await onTooLarge();
    throw tooLarge(bytesMax);
  }
  const [only] = chunks;
  return chunks.length === 1 && only ? only : Buffer.concat(chunks, size);
}

const drainBytesMax = 64 * 1024 * 1024;
const drainTimeMsMax = 5_000;

/** Takes the rest of a refused body in, within bounds, so that the sender reads the answer instead of a reset connection. */
async function drain(request: IncomingMessage, declared: number): Promise<void> {
  if (declared > drainBytesMax || request.readableEnded) return;
  let dropped = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, drainTimeMsMax);
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      dropped += chunk.length;
      if (dropped > drainBytesMax) finish();
    });
    request.once('end', finish);
    request.once('close', finish);
    request.resume();
  });
}

function tooLarge(bytesMax: number): Problem {
  const detail = `The body is larger than ${bytesMax} bytes (after decompression). Send it in smaller pieces.`;
  return new Problem(413, 'body-too-large', detail, { headers: { connection: 'close' } });
}

function tooSlow({ bodyBytesPerSecondMin }: BodyLimits): Problem {
  const detail = `The body comes slower than ${bodyBytesPerSecondMin} bytes a second. Send it again whole.`;
  return new Problem(408, 'body-too-slow', detail, { headers: { connection: 'close' } });
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;

/**
 * Turns a JSON array into NDJSON in place: element n becomes line n, its bytes untouched, so that what is wrong in one element
 * is refused there alone and no number loses a digit. Throws `Problem` 400 where the array itself is broken.
 */
export function jsonArrayToLines(bytes: Buffer): Buffer {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let i = 0; i < at; i++) bytes[i] = space;
  while (at < bytes.length && isSpace(bytes[at]!)) bytes[at++] = space;
  if (bytes[at] !== 0x5b) throw brokenArray(at, 'expected "[" of an array of transactions');
  bytes[at++] = space;
  let depth = 1;
  let hasContent = false;
  let elements = 0;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === quote) {
      at = skipString(bytes, at);
      hasContent = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      hasContent = true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
      if (depth > 0) continue;
      if (byte === 0x7d) throw brokenArray(at, 'expected "]", found "}"');
      if (!hasContent && elements > 0) throw brokenArray(at, 'expected a transaction after ","');
      bytes[at++] = lineFeed;
      break;
    } else if (byte === comma && depth === 1) {
      if (!hasContent) throw brokenArray(at, 'expected a transaction before ","');
      bytes[at] = lineFeed;
      hasContent = false;
      elements++;
    } else if (byte === lineFeed || byte === carriageReturn) {
      bytes[at] = space;
    } else if (byte !== space && byte !== tab) {
      hasContent = true;
    }
  }
  if (depth > 0) throw brokenArray(bytes.length, 'the array is not closed');
  for (let i = at; i < bytes.length; i++) {
    if (!isSpace(bytes[i]!)) throw brokenArray(i, 'found something after the array');
  }
  return bytes.subarray(0, at);
}

/** Position of the closing quote. */
function skipString(bytes: Buffer, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === quote) return i;
    if (byte === backslash) i++;
    else if (byte === lineFeed) throw brokenArray(i, 'a line break inside a string');
  }
  throw brokenArray(start, 'a string is not closed');
}

function isSpace(byte: number): boolean {
  return byte === space || byte === tab || byte === lineFeed || byte === carriageReturn;
}

function brokenArray(at: number, what: string): Problem {
  return new Problem(400, 'malformed', `The JSON array is broken at byte ${at}: ${what}. Nothing of it was taken.`);
}

function clip(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
