import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { encodeTransaction } from '../domain/transaction-record.js';
import { createEngine } from './engine.js';
import type { ExampleFault } from './example-names.js';
import { accountNumber, type ExampleItem, exampleStream } from './example-stream.js';
import type { PatternExample } from './pattern-example.js';
import type { ParsedPattern, Pattern, PatternProblem } from './pattern.js';
import type { PatternSet } from './pattern-set.js';
import { scanTransaction } from './reader.js';
import { TransactionView } from './transaction-view.js';

/** What became of one example of a pattern file. */
export interface ExampleOutcome {
  readonly pattern: string;
  readonly example: string;
  readonly expected: 'hit' | 'miss';
  /** Broken: it could not be run. */
  readonly found: 'hit' | 'miss' | 'broken';
  readonly explanation?: string;
  /** What is wrong with a broken one. */
  readonly faults?: readonly ExampleFault[];
  /** Where it stands in the file. */
  readonly path: readonly (string | number)[];
}

/** Runs a pattern's own examples through the real engine with the whole set loaded. */
export function runExamples(set: PatternSet, pattern: Pattern): ExampleOutcome[] {
  const { hits, misses } = pattern.examples;
  const all = [
    ...hits.map((example, i) => ({ example, expected: 'hit' as const, path: ['examples', 'hits', i] })),
    ...misses.map((example, i) => ({ example, expected: 'miss' as const, path: ['examples', 'misses', i] })),
  ];
  return all.map(({ example, expected, path }) => ({
    pattern: pattern.id,
    example: example.name,
    expected,
    path,
    ...runExample(set, pattern, example),
  }));
}

function runExample(
  set: PatternSet,
  pattern: Pattern,
  example: PatternExample,
): Pick<ExampleOutcome, 'found' | 'explanation' | 'faults'> {
  const stream = exampleStream(pattern, example);
  if (stream.kind === 'broken') return { found: 'broken', faults: stream.faults };
  const subject = pattern.on === 'use' ? example.subject : accountNumber(example.subject);
  const hit = scoreAll(set, stream.items).find(
    (found) => found.pattern === pattern.id && found.version === pattern.version && found.subject.id === subject,
  );
  if (!hit) return { found: 'miss' };
  return { found: 'hit', explanation: `${hit.explanation.zh} [${hit.explanation.condition}] ${hit.score}` };
}

/** What an example that came out otherwise should have done. */
export function fallsShort({ expected, explanation }: Pick<ExampleOutcome, 'expected' | 'explanation'>): string {
  return expected === 'hit' ? 'must hit but does not' : `must not hit but does: ${explanation}`;
}

/** What did not come out as it must, at its place in the file. */
export function problemsOf({ file, placeOf }: ParsedPattern, outcomes: readonly ExampleOutcome[]): PatternProblem[] {
  return outcomes.flatMap((outcome): PatternProblem[] => {
    const { example, expected, found, faults = [], path } = outcome;
    if (found === expected) return [];
    if (found === 'broken')
      return faults.map((fault) => {
        const at = [...path, ...fault.path];
        return { file, ...placeOf(at), path: at.join('.'), message: fault.message };
      });
    const message = `example "${example}" ${fallsShort(outcome)}`;
    return [{ file, ...placeOf([...path, 'name']), path: path.join('.'), message }];
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
