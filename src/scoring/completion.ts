import { z } from 'zod';
import { patternSchema } from './pattern.js';
import { baseStreams, fields, functions, profileFields } from './vocabulary/vocabulary.js';

/** What an editor needs to help with pattern files: made from the tables that the language itself is made of. */

export interface Completion {
  /** What is typed: `tx.amountFen`, `count`. */
  readonly label: string;
  readonly kind: 'field' | 'function' | 'stream';
  /** Type of a field with its unit, or how a function is used. */
  readonly detail: string;
  readonly documentation: string;
  /** In snippet syntax, with a place for each argument. */
  readonly insertText: string;
}

export function completions(): Completion[] {
  return [
    ...Object.entries(fields).map(([label, { type, unit, doc, about }]): Completion => ({
      label,
      kind: 'field',
      detail: unit === undefined ? type : `${type}, ${unit}`,
      documentation: about === undefined ? doc : `${doc} (only in streams of: ${about})`,
      insertText: label,
    })),
    ...Object.entries(profileFields).map(([name, { type, unit, doc }]): Completion => ({
      label: `profile(self).${name}`,
      kind: 'field',
      detail: unit === undefined ? type : `${type}, ${unit}`,
      documentation: doc,
      insertText: `profile(self).${name}`,
    })),
    ...Object.entries(functions).map(([label, { usage, doc, exactness, parameters }]): Completion => ({
      label,
      kind: 'function',
      detail: usage,
      documentation: exactness === 'approximate' ? `${doc} (approximate)` : doc,
      insertText: `${label}(${parameters.map((parameter, i) => placeFor(parameter, i + 1)).join(', ')})`,
    })),
    ...[...baseStreams.keys()].map((label): Completion => ({
      label,
      kind: 'stream',
      detail: 'stream',
      documentation: 'A stream that every pattern has',
      insertText: label,
    })),
  ];
}

function placeFor({ name, type }: { readonly name: string; readonly type: string }, place: number): string {
  return type === 'text' && name !== 'text' ? `"\${${place}:${name}}"` : `\${${place}:${name}}`;
}

/** JSON schema (draft 2020-12) of a pattern file, for editors that check YAML by one. */
export function patternFileSchema(): object {
  const schema = z.toJSONSchema(patternSchema, { io: 'input', unrepresentable: 'any' });
  return { ...schema, title: 'HuQi fraud pattern', description: 'A fraud pattern of HuQi; see docs/patterns.md' };
}
