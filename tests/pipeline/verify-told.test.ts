import { expect, test } from 'vitest';
import type { Warning } from '../../src/domain/warning.js';
import { tellsLess } from '../../src/pipeline/verify-told.js';
import { warningOf } from './dispatch-support.js';

const before = warningOf('w1');
const [hit] = before.hits;
const kinded: Warning = {
  ...before,
  subject: { ...before.subject, kind: 'corporate' },
  hits: [{ ...hit!, counterparty: { ...hit!.counterparty!, kind: 'personal' } }],
};

test('a warning of an earlier release, which does not say what kind of holder a bank names, tells less and nothing else', () => {
  expect(tellsLess(before, kinded)).toBe(true);
  expect(tellsLess(kinded, kinded)).toBe(false);
  expect(tellsLess(kinded, before)).toBe(false);
  expect(tellsLess({ ...before, score: 0.1 }, kinded)).toBe(false);
  expect(tellsLess({ ...before, subject: { ...before.subject, name: 'another' } }, kinded)).toBe(false);
});
