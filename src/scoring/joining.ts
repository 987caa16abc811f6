import type { Evaluation } from './evaluation.js';
import { generate } from './generated.js';
import type { PlannedStream } from './plan.js';
import { personalKind } from './transaction-view.js';
import { type Helper, prelude } from './typed-code.js';

/** Takes a leg into a named stream. */
export type Joiner = (leg: Evaluation, stream: number) => void;

/** Which named streams a leg belongs to, as one function: those by the transaction alone first, then those that ask about history. */
export function generateJoin(streams: readonly PlannedStream[], isDebit: boolean, helpers: readonly Helper[]) {
  const wanted = streams.filter(({ of }) => of === 'any' || of === (isDebit ? 'debit' : 'credit'));
  const ordered = [...wanted.filter(({ usesHistory }) => !usesHistory), ...wanted.filter(({ usesHistory }) => usesHistory)];
  const statement = ({ index, code }: PlannedStream): string =>
    code === undefined ? `join(leg, ${index});` : `if (${code}) join(leg, ${index});`;
  // Streams by the transaction alone and streams about history keep their order; personal accounts have only their own.
  const blocks = ordered.map((stream) =>
    stream.forPersonal ? statement(stream) : `if (self.kind !== ${personalKind}) { ${statement(stream)} }`,
  );
  const body = `return (leg, join) => { ${prelude} ${blocks.join('\n')} };`;
  return generate<(h: readonly Helper[]) => (leg: Evaluation, join: Joiner) => void>(['h'], body)(helpers);
}
