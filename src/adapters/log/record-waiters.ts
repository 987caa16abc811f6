import type { Topic } from '../../ports/log.js';
import { createWaitingRoom } from './waiting-room.js';

/** How often partitions that somebody waits for are looked at, for records that another process appended. */
const pollIntervalMs = 250;

/** Those who wait for a record at an offset. `nextOf` reads the offset after the last record, `refresh` makes it current. */
export function createRecordWaiters(nextOf: (topic: Topic, partition: number) => number, refresh: () => void) {
  let pollTimer: NodeJS.Timeout | undefined;
  const room = createWaitingRoom(
    () => (pollTimer ??= setInterval(poll, pollIntervalMs)),
    () => {
      clearInterval(pollTimer);
      pollTimer = undefined;
    },
  );

  function wait(topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    refresh();
    if (nextOf(topic, partition) > from) return Promise.resolve(true);
    return room.wait(topic, partition, from, timeoutMs, signal);
  }

  /** To be called after an append became visible. */
  function wake(topic: Topic, partition: number): void {
    room.note(topic, partition, () => nextOf(topic, partition));
  }

  function poll(): void {
    refresh();
    for (const { topic, partition } of room.places()) wake(topic, partition);
  }

  return { wait, wake, close: room.close };
}
