import type { Recipient } from '../../src/domain/recipient.js';
import { createRecipients } from '../../src/pipeline/recipients.js';
import type { Surroundings } from './process.js';

const webhook = { url: 'https://receiver.example/hook' };
export const recipients: readonly Recipient[] = [
  { id: 'centre', kind: 'centre', match: '*', name: '反诈中心', webhook },
  { id: 'bank', kind: 'bank', match: '102', name: '样例银行', webhook },
  { id: 'firm', kind: 'enterprise', match: '91410100MA010000XX', name: '样例企业', webhook },
];

/** Who is told stands in the store before anything goes wrong. */
export async function registerAll({ state }: Surroundings): Promise<void> {
  const known = createRecipients({
    state: {
      get: (slot, keys) => Promise.resolve(state.get(slot, keys)),
      scan: (slot, options) => Promise.resolve(state.scan(slot, options)),
      commit: (slot, change) => Promise.resolve(state.commit(slot, change).result),
      close: () => Promise.resolve(),
    },
    clock: { now: () => 0 },
    randomBytes: () => new Uint8Array(24),
    settings: { recipientsMax: 100, recipientsPollMs: 0 },
    telemetry: { recipientChanged: () => undefined },
  });
  for (const { id, ...input } of recipients) await known.put(id, input);
  state.replicate();
}
