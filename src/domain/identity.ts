import { createHash } from 'node:crypto';

/**
 * Ids that derive from their cause, so that whatever is done again after a crash gets the same id.
 * 120 bits of SHA-256, base64url: 20 characters. Each part carries its length: ('a', 'bc') and ('ab', 'c') are different causes.
 */
export function derivedId(...parts: readonly (string | number)[]): string {
  let cause = '';
  for (const part of parts) {
    const text = String(part);
    cause += `${text.length}:${text};`;
  }
  return createHash('sha256').update(cause).digest('base64url').slice(0, 20);
}

/** What makes two reports the same transaction: who reports it and that bank's own number for it. */
export function transactionIdentity(bank: string, id: string): string {
  return `${bank}/${id}`;
}

/** One warning per subject, pattern family and calendar day (Asia/Shanghai, `2026-07-01`). */
export function warningId(subjectKey: string, family: string, day: string): string {
  return derivedId('warning', subjectKey, family, day);
}
