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

/** A function of the named parameters. Throws `Error` where the code holds anything but what this module's users may write. */
export function generate<F>(parameters: readonly string[], body: string): F {
  if (!allowed.test(body)) throw new Error('generated code holds a character that no generated code may hold');
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- see above: the body is made of numbers and of names of our own.
  return new Function(...parameters, `'use strict';${body}`) as F;
}
