import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that Node could not read: there is no request yet to answer by the usual way, only a connection. */

type Answer = readonly [status: number, kind: string, detail: string];

const known: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'timeout', 'The request did not come in whole in time. Send it again.'],
  HPE_HEADER_OVERFLOW: [431, 'headers-too-large', 'The headers are larger than 16 KiB.'],
};
const broken: Answer = [400, 'malformed', 'The request is not well-formed HTTP, or it was cut off.'];

/** Answers as problem+json, like everything else, and ends the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, kind, detail] = known[error.code ?? ''] ?? broken;
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ type: `/problems/${kind}`, title, status, detail });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(error);
}
