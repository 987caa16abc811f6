import { pino, type DestinationStream } from 'pino';

/** So much is kept for a file system that is full, until it has room again. */
const keptBytesMax = 64 * 1024;

/**
 * Writes log lines to a file descriptor, each at once. Where that takes nothing (its disk is full, its reader is gone) lines are
 * kept, and those beyond dropped and counted: a log is never a reason to end.
 */
export function logDestination(descriptor: number, onLost: () => void): DestinationStream {
  const destination = pino.destination({ dest: descriptor, sync: true, maxLength: keptBytesMax });
  destination.on('error', () => undefined);
  destination.on('drop', onLost);
  return destination;
}
