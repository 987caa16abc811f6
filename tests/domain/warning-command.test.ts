import { describe, expect, test } from 'vitest';
import { accountChangeSchema, loginSchema, profileSchema, sharedKey, type SharedKind } from '../../src/domain/reference.js';
import { transactionSchema } from '../../src/domain/transaction.js';
import { warningCommandSchema } from '../../src/domain/warning-command.js';

/** The longest text that a schema of intake takes. */
function longest(schema: { maxLength: number | null } | undefined): string {
  if (typeof schema?.maxLength !== 'number') throw new Error('intake does not bound this text');
  return 'x'.repeat(schema.maxLength);
}

const profile = profileSchema.shape;
const change = accountChangeSchema.shape;
const devices = [transactionSchema.shape.device.unwrap().shape, loginSchema.shape.device.unwrap().shape];

/** Every field that enterprises may be found to share. */
const shared: readonly (readonly [SharedKind, string])[] = [
  ...devices.flatMap(({ id, ip, mac }) => [
    ['device', longest(id.unwrap())] as const,
    ['ip', longest(ip.unwrap())] as const,
    ['mac', longest(mac.unwrap())] as const,
  ]),
  ['operator', longest(transactionSchema.shape.operator.unwrap())],
  ['operator', longest(loginSchema.shape.operator.unwrap())],
  ['legal-rep', longest(profile.legalRep.unwrap())],
  ['legal-rep', longest(profile.legalRepId.unwrap())],
  ['legal-rep', longest(change.legalRepId.unwrap())],
  ['phone', longest(profile.phone.unwrap())],
  ['address', longest(profile.address.unwrap())],
  ['agent', longest(profile.agent.unwrap())],
  ['agent', longest(change.agent.unwrap())],
];

describe('what people say', () => {
  test.each(shared)('about the longest %s that intake takes is known to whoever reads it', (kind, value) => {
    const data = { warningId: 'w', subjectKey: sharedKey(kind, value), by: '王警官', verdict: 'fraud' };
    expect(warningCommandSchema.safeParse({ type: 'warning.dispose', data }).error).toBeUndefined();
  });
});
