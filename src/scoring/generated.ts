/**
 * Turns checked expressions into functions. What is generated holds numbers, operators and names of our own and nothing
 * else: no text of a pattern ever becomes part of it, so no pattern can smuggle code in. Texts, word lists and walks are
 * reached through `h`, an array of functions.
 */
const allowed = /^[\w\s$().,;:[\]{}+\-*/%<>=!&|?]*$/;

/** A number as it stands in generated code. Throws `RangeError` for what has no literal. */
export function literal(value: number): string {
  if (Number.isNaN(value)) return '(0/0)';
  if (!Number.isFinite(value)) return value > 0 ? '(1/0)' : '(-1/0)';
  return value < 0 || Object.is(value, -0) ? `(${value})` : String(value);
}

/**
 * A function of the named parameters. Equal code gives the same function: what the compiler learns of it in one partition's engine
 * serves all of them. Throws `Error` where the code holds anything but what this module's users may write.
 */
export function generate<F>(parameters: readonly string[], body: string): F {
  if (!allowed.test(body)) throw new Error('generated code holds a character that no generated code may hold');
  const key = `${parameters.join(',')}:${body}`;
  let made = known.get(key);
  if (made) known.delete(key);
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- see above: the body is made of numbers and of names of our own.
  else made = new Function(...parameters, `'use strict';${body}`);
  known.set(key, made);
  if (known.size > knownMost) known.delete(known.keys().next().value!);
  return made as F;
}

/** The functions used last, by their code, in order of use. A full set has some 3,000. */
const known = new Map<string, unknown>();
const knownMost = 20_000;
