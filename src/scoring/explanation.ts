import { formatWanIn, formatYuan } from '../domain/money.js';
import type { Evaluation } from './evaluation.js';
import { compileExpression } from './expression.js';
import { ExpressionError, functionOf, type Helper, type Part, type Scope, type Typed } from './typed-code.js';

/**
 * Why a pattern held, in words and as its condition with the values put in. Reasons are texts with `${expression}`;
 * `${wan(expression)}` writes fen as 万元, `${yuan(expression)}` as yuan, `${percent(expression)}` a share as a percentage. What is made of
 * the amount of the payment in hand bears its currency, everything else counts as yuan.
 */
export type Reason = (leg: Evaluation) => string;

const formats: Readonly<Record<string, (value: number, currency: string) => string>> = {
  wan: (amountFen, currency) => formatWanIn(currency, amountFen),
  yuan: (amountFen, currency) => `${currency} ${formatYuan(amountFen)}`,
  percent: (share) => `${Math.round(share * 100)}%`,
};

/** How a missing number is said. */
const unknownWords = { zh: '未知', en: 'unknown' } as const;
type Language = keyof typeof unknownWords;

/** Throws `ExpressionError` with the offset in the template. */
export function compileReason(template: string, scope: Scope, language: Language): Reason {
  const pieces: ((leg: Evaluation) => string)[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$\{([^}]*)\}/g)) {
    const literal = template.slice(at, match.index);
    if (literal) pieces.push(() => literal);
    pieces.push(compileSlot(match[1]!, match.index + 2, scope, language));
    at = match.index + match[0].length;
  }
  const rest = template.slice(at);
  const unclosed = rest.indexOf('${');
  if (unclosed >= 0) throw new ExpressionError('"${" is never closed by "}"', at + unclosed);
  if (rest) pieces.push(() => rest);
  return (leg) => {
    let text = '';
    for (const piece of pieces) text += piece(leg);
    return text;
  };
}

function compileSlot(source: string, offset: number, scope: Scope, language: Language): (leg: Evaluation) => string {
  const wrapped = /^(\s*(wan|yuan|percent)\()([\s\S]*)\)\s*$/.exec(source);
  const [, before = '', format = '', inner = source] = wrapped ?? [];
  let typed: Typed;
  try {
    typed = compileExpression(inner, scope);
  } catch (error) {
    if (error instanceof ExpressionError) throw new ExpressionError(error.message, offset + before.length + error.offset);
    throw error;
  }
  if (wrapped) {
    if (typed.type !== 'number') throw new ExpressionError(`expected a number in ${format}(…), found a ${typed.type}`, offset);
    const write = formats[format]!;
    const read = functionOf<number>(typed.code, scope.helpers);
    const unknown = format === 'percent' ? '–' : unknownWords[language];
    const isOfPayment = /\btx\.amountFen\b/.test(inner);
    return (leg) => {
      const value = read(leg);
      return Number.isNaN(value) ? unknown : write(value, isOfPayment ? currencyOf(leg) : 'CNY');
    };
  }
  return shower(typed, scope.helpers, unknownWords[language]);
}

function currencyOf({ view }: Evaluation): string {
  return view.isCny ? 'CNY' : view.text(view.currencyStart, view.currencyEnd);
}

/** The parts of a condition that are worth showing, outermost ones only, in their order. */
function outermost(parts: readonly Part[]): Part[] {
  const kept: Part[] = [];
  for (const part of parts.toSorted((a, b) => a.start - b.start || b.end - a.end))
    if (part.start >= (kept.at(-1)?.end ?? 0)) kept.push(part);
  return kept;
}

/** The condition as written on one line, each feature and field followed by its value: `distinct(credit, "5wd")=7 >= 5`. */
export function compileShown(source: string, parts: readonly Part[], helpers: readonly Helper[]): Reason {
  const written: string[] = [];
  const values: ((leg: Evaluation) => string)[] = [];
  let at = 0;
  let literal = '';
  for (const { start, end, value } of outermost(parts)) {
    literal += source.slice(at, start);
    const name = source.slice(start, end);
    if (!name.startsWith('params.')) literal += `${name}=`;
    written.push(onOneLine(literal));
    const show = shower(value, helpers, unknownWords.en);
    values.push(value.type === 'text' ? (leg) => onOneLine(show(leg)) : show);
    literal = '';
    at = end;
  }
  const last = onOneLine(source.slice(at)).trimEnd();
  if (written.length === 0) return () => last.trimStart();
  written[0] = written[0]!.trimStart();
  return (leg) => {
    let text = '';
    for (let i = 0; i < values.length; i++) text += written[i]! + values[i]!(leg);
    return text + last;
  };
}

function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

/** `unknown` stands for a number that is not known. */
function shower(typed: Typed, helpers: readonly Helper[], unknown: string): (leg: Evaluation) => string {
  switch (typed.type) {
    case 'number': {
      const read = functionOf<number>(typed.code, helpers);
      return (leg) => {
        const value = read(leg);
        return Number.isNaN(value) ? unknown : String(Math.round(value * 1000) / 1000);
      };
    }
    case 'bool': {
      const read = functionOf<boolean>(typed.code, helpers);
      return (leg) => String(read(leg));
    }
    case 'text': {
      const read = functionOf<string>(typed.code, helpers);
      return (leg) => read(leg);
    }
    case 'enum': {
      const read = functionOf<number>(typed.code, helpers);
      return (leg) => String(typed.names[read(leg)]);
    }
    case 'list':
      return () => JSON.stringify(typed.words);
    case 'stream':
      return () => typed.stream.name;
    case 'account':
      return () => typed.who;
    case 'register':
    case 'profile':
      return () => '';
  }
}
