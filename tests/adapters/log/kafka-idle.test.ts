import { expect, it } from 'vitest';
import { createConnection } from '../../../src/adapters/log/kafka/kafkajs.js';

interface Queue {
  pending: unknown[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

it('sets no timer for a queue of requests that is empty, and one for a queue that is not', () => {
  const connection = createConnection({
    host: '127.0.0.1',
    port: 1,
    clientId: 'test',
    ssl: null,
    sasl: null,
    connectionTimeout: 1_000,
    requestTimeout: 1_000,
    socketFactory: () => {
      throw new Error('nothing is connected here');
    },
  });
  const queue = connection.requestQueue as unknown as Queue;
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.pending.push({});
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});
