import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { encodeTransaction } from '../domain/transaction-record.js';
import { createEngine } from './engine.js';
import { accountNumber, type ExampleItem, exampleStream } from './example-stream.js';
import type { Pattern } from './pattern.js';
import type { PatternSet } from './pattern-set.js';
import { scanTransaction } from './reader.js';
import { TransactionView } from './transaction-view.js';

/** What became of one example of a pattern file. */
export interface ExampleOutcome {
  readonly pattern: string;
  readonly example: string;
  readonly expected: 'hit' | 'miss';
  readonly found: 'hit' | 'miss';
  readonly explanation?: string;
}

/** Runs a pattern's own examples through the real engine with the whole set loaded. */
export function runExamples(set: PatternSet, pattern: Pattern): ExampleOutcome[] {
  const all = [
    ...pattern.examples.hits.map((example) => ({ example, expected: 'hit' as const })),
    ...pattern.examples.misses.map((example) => ({ example, expected: 'miss' as const })),
  ];
  return all.map(({ example, expected }) => {
    const subject = pattern.on === 'use' ? example.subject : accountNumber(example.subject);
    const hit = scoreAll(set, exampleStream(pattern, example)).find(
      (found) => found.pattern === pattern.id && found.version === pattern.version && found.subject.id === subject,
    );
    return {
      pattern: pattern.id,
      example: example.name,
      expected,
      found: hit ? 'hit' : 'miss',
      ...(hit ? { explanation: `${hit.explanation.zh} [${hit.explanation.condition}] ${hit.score}` } : {}),
    };
  });
}

function scoreAll(set: PatternSet, items: readonly ExampleItem[]): Hit[] {
  const engine = createEngine(set);
  const view = new TransactionView();
  const hits: Hit[] = [];
  for (const item of items) {
    if (item.kind === 'reference') {
      engine.takeReference(item.reference, () => true, 0, hits);
      continue;
    }
    const bytes = encodeTransaction(item.transaction);
    if (!scanTransaction(bytes, 0, bytes.length, view))
      throw new Error(`example transaction cannot be read: ${item.transaction.id}`);
    engine.score(view, role.debit | role.credit, 0, 0, hits);
  }
  return hits;
}
