import type { IntakeAddress } from './intake.js';

export const referenceAddress: IntakeAddress = {
  url: '/v1/reference',
  summary: 'Sends reference records only; answers when they are durable, one result line per line sent',
  description:
    'What a bank or a centre knows besides transactions: each record has a `type` (`profile`, `account-change`, `login`, ' +
    '`stop-pay`, `case-account`, `list` or `exchange-rate`; the last three from keys of the centre only). The body and the answers are those of /v1/transactions; a transaction ' +
    'is refused here. Sending the same record again is harmless (`duplicate`). On 503 send the whole body again.',
  holds: 'reference record',
  only: 'references',
};
