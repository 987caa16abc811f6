import { isMap, isScalar, LineCounter, type Document, type Node } from 'yaml';
import { z } from 'zod';
import { nearest } from './nearest.js';

/** What a schema says against a file, as people look for it: the place in the file and, where one is near, the right name. */

type Path = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Issue extends Place {
  readonly path: Path;
  readonly message: string;
}

/** Misspelt names come first: what is missing is often what one of them should have been. */
export function issuesIn(error: z.ZodError, schema: z.ZodType, document: Document, lines: LineCounter): Issue[] {
  const all = error.issues.flatMap(inBranch);
  const unknown = all.flatMap((issue): Issue[] => {
    if (issue.code !== 'unrecognized_keys') return [];
    const path = issue.path as Path;
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({
      ...placeOfKey(document, lines, path, key),
      path: [...path, key],
      message: `unknown field "${key}"${nearest(key, known)}`,
    }));
  });
  const others = all
    .filter(({ code }) => code !== 'unrecognized_keys')
    .map((issue): Issue => {
      const path = issue.path as Path;
      const isMissing = path.length > 0 && !document.hasIn(path);
      return { ...placeOf(document, lines, path), path, message: isMissing ? `missing; ${issue.message}` : issue.message };
    });
  return [...unknown, ...others];
}

/** Of a value that may have several shapes: what is wrong with the shape that it comes closest to. */
function inBranch(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const misses = (branch: readonly z.core.$ZodIssue[]): number =>
    branch.reduce((sum, one) => sum + (one.code === 'unrecognized_keys' ? one.keys.length : 1), 0);
  const [nearestBranch] = issue.errors
    .filter((branch) => branch.every(({ path, code }) => path.length > 0 || code !== 'invalid_type'))
    .toSorted((a, b) => misses(a) - misses(b));
  return nearestBranch?.flatMap((one) => inBranch({ ...one, path: [...issue.path, ...one.path] })) ?? [issue];
}

/** The keys that an object at this place may have. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  const plain = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  if (plain instanceof z.ZodUnion) return plain.options.flatMap((option) => keysAt(option as z.ZodType, path));
  const [step, ...rest] = path;
  if (plain instanceof z.ZodObject) {
    const shape = plain.shape as Readonly<Record<string, z.ZodType>>;
    if (step === undefined) return Object.keys(shape);
    return Object.hasOwn(shape, step) ? keysAt(shape[step]!, rest) : [];
  }
  if (plain instanceof z.ZodRecord) return keysAt(plain.valueType as z.ZodType, rest);
  return plain instanceof z.ZodArray ? keysAt(plain.element as z.ZodType, rest) : [];
}

/** Of the deepest node on the path that exists. */
export function placeOf(document: Document, lines: LineCounter, path: Path): Place {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : (document.getIn(path.slice(0, depth), true) as Node | undefined);
    if (node && typeof node === 'object' && 'range' in node && node.range) return placeAt(lines, node.range[0]);
  }
  return { line: 1, column: 1 };
}

function placeOfKey(document: Document, lines: LineCounter, path: Path, key: string): Place {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
  return isScalar(pair?.key) && pair.key.range ? placeAt(lines, pair.key.range[0]) : placeOf(document, lines, path);
}

export function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
