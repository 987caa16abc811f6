import type { Hit } from '../../src/domain/hit.js';
import { derivedId } from '../../src/domain/identity.js';

/** A hit with an id that derives from what makes it one; all of it may be overridden. The subject is the payer unless said otherwise. */
export function makeHit(overrides: Partial<Hit>): Hit {
  const payer = overrides.payer ?? {
    account: '410010001',
    name: '河南样例有限公司',
    bank: '102491002011',
    creditCode: '91410100MA0000001X',
  };
  const hit: Hit = {
    id: '',
    pattern: 'V01',
    version: 1,
    transaction: 'T1',
    bank: '102491002011',
    time: '2026-07-01T09:00:00+08:00',
    subject: { kind: 'account', id: payer.account },
    side: 'victim',
    severity: 'high',
    score: 0.7,
    state: 'active',
    explanation: { zh: '首次向陌生账户付款', en: 'First payment to a stranger', condition: '50 > 10' },
    evidence: ['T1'],
    amountFen: 5_000_000,
    currency: 'CNY',
    payer,
    payee: { account: '622200002', name: '某', bank: '103491002011' },
    family: 'impersonation',
    title: { zh: '疑似冒充老板', en: 'Possible impersonation' },
    advice: { zh: '请先核实', en: 'Verify first' },
    audience: ['enterprise', 'own-bank', 'city-centre'],
    late: false,
    receivedAtMs: Date.parse('2026-07-01T09:00:01+08:00'),
    ...overrides,
  };
  const cause = [hit.bank ?? '', hit.transaction, hit.pattern, hit.version, hit.subject.id, hit.severity, hit.score];
  return overrides.id === undefined ? { ...hit, id: derivedId(...cause) } : hit;
}
