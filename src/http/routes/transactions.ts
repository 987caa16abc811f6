import type { IntakeAddress } from './intake.js';

export const transactionAddress: IntakeAddress = {
  url: '/v1/transactions',
  summary: 'Sends transactions, and reference records among them; answers when they are durable, one result line per line sent',
  description:
    'Body: NDJSON, or a JSON array. gzip is accepted. Sending the same transaction again is harmless (`duplicate`). ' +
    'A line with a `type` of /v1/reference is a reference record; it counts from its place among the transactions on. ' +
    'On 503 nothing may be assumed: send the whole body again.',
  holds: 'transaction',
};
