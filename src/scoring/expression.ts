import { parse, ParseError, type ASTNode } from '@marcbachmann/cel-js';
import type { Parameter } from './pattern.js';
import { generate, literal } from './generated.js';
import { nearest } from './nearest.js';
import { whereAbout } from './vocabulary/definitions.js';
import { isListed } from './vocabulary/knowledge.js';
import { profileFields } from './vocabulary/profiles.js';
import { fields, functions } from './vocabulary/vocabulary.js';
import { wordLists } from './word-lists.js';
import { callHelper, costRank, ExpressionError, functionOf, partyCode, type Scope, type Typed, type Who } from './typed-code.js';

/**
 * The pattern language: expressions in CEL syntax over a leg and its features, checked when they are loaded and turned
 * into code of our own (see `generated.ts`). Numbers are doubles (fen are exact). A comparison with an unknown number is
 * false.
 */

const nodesMax = 500;

/** Throws `ExpressionError`. */
export function compileExpression(source: string, scope: Scope): Typed {
  return compile(parseExpression(source), scope);
}

/** One of the conditions that `&&` joins at the top, and where it stands. */
export interface Conjunct {
  readonly code: string;
  /** As it stands in the file, on one line. */
  readonly written: string;
  /** See `costRank`. */
  readonly cost: number;
}

/** All of them as one condition. Questions change nothing, so the cheap ones are asked first. */
export function cheapestFirst(conjuncts: readonly Conjunct[]): string {
  return conjuncts
    .toSorted((a, b) => a.cost - b.cost)
    .map(({ code }) => `(${code})`)
    .join(' && ');
}

/** A condition as the parts that `&&` joins. Throws `ExpressionError`. */
export function compileConjuncts(source: string, scope: Scope): Conjunct[] {
  const parts = conjunctsOf(parseExpression(source));
  return parts.map((node) => {
    scope.cost = 0;
    const typed = compile(node, scope);
    if (typed.type !== 'bool')
      throw new ExpressionError(`expected a condition that is true or false, found a ${typed.type}`, node.start);
    return { code: typed.code, written: source.slice(node.start, node.end).replace(/\s+/g, ' ').trim(), cost: scope.cost };
  });
}

function conjunctsOf(node: ASTNode): ASTNode[] {
  return node.op === '&&' ? [...conjunctsOf(node.args[0]), ...conjunctsOf(node.args[1])] : [node];
}

/** The code of a number. Throws `ExpressionError`. */
export function compileNumber(source: string, scope: Scope): string {
  const typed = compileExpression(source, scope);
  if (typed.type !== 'number') throw new ExpressionError(`expected a number, found a ${typed.type}`, 0);
  return typed.code;
}

function parseExpression(source: string): ASTNode {
  let ast: ASTNode;
  try {
    ast = parse(source).ast;
  } catch (error) {
    if (error instanceof ParseError) throw new ExpressionError(plainParseMessage(error), error.range?.start ?? 0);
    throw error;
  }
  const nodes = countNodes(ast, 0);
  if (nodes > nodesMax) throw new ExpressionError(`the expression has more than ${nodesMax} parts; split it into streams`, 0);
  return ast;
}

function plainParseMessage(error: ParseError): string {
  const summary = error.summary.replace('Unexpected token: EOF', 'it ends too early; a value is missing');
  return `not a valid expression: ${summary}`;
}

function countNodes(value: unknown, sum: number): number {
  if (sum > nodesMax) return sum;
  if (Array.isArray(value)) return value.reduce<number>((total, item) => countNodes(item, total), sum);
  if (value && typeof value === 'object' && 'op' in value && 'args' in value) return countNodes(value.args, sum + 1);
  return sum;
}

function compile(node: ASTNode, scope: Scope): Typed {
  switch (node.op) {
    case 'value':
      return constantOf(node.args, node, scope);
    case 'id':
      return identifier(node.args, node, scope);
    case '.':
      return member(node, scope);
    case 'call':
      return call(node.args[0], node.args[1], node, scope);
    case 'rcall':
      return method(node.args[0], node.args[1], node.args[2], node, scope);
    case 'list':
      return list(node.args, scope);
    case '&&':
    case '||': {
      const left = bool(node.args[0], scope);
      const right = bool(node.args[1], scope);
      return { type: 'bool', code: `(${left} ${node.op} ${right})` };
    }
    case '!_': {
      return { type: 'bool', code: `!(${bool(node.args, scope)})` };
    }
    case '-_': {
      const inner = number(node.args, scope);
      if (inner.constant !== undefined) return constant(-inner.constant);
      return { type: 'number', code: `(-${inner.code})` };
    }
    case '?:': {
      const test = bool(node.args[0], scope);
      const left = number(node.args[1], scope).code;
      const right = number(node.args[2], scope).code;
      return { type: 'number', code: `(${test} ? ${left} : ${right})` };
    }
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return arithmetic(node.op, number(node.args[0], scope), number(node.args[1], scope));
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node.op, number(node.args[0], scope), number(node.args[1], scope));
    case '==':
    case '!=':
      return equality(node.op, compile(node.args[0], scope), compile(node.args[1], scope), node, scope);
    case 'in':
      return membership(compile(node.args[0], scope), compile(node.args[1], scope), node, scope);
    default:
      throw new ExpressionError(`"${node.op}" is not part of the pattern language`, node.start);
  }
}

/** What the table itself holds under a name: names come from files, and every object answers to `toString`. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function constantOf(value: unknown, node: ASTNode, scope: Scope): Typed {
  if (typeof value === 'bigint' || typeof value === 'number') return constant(Number(value));
  if (typeof value === 'boolean') return { type: 'bool', code: value ? 'true' : 'false' };
  if (typeof value === 'string') return textConstant(value, scope);
  throw new ExpressionError('expected a number, a text in quotes, true or false', node.start);
}

function constant(value: number): NumberTyped {
  return { type: 'number', code: literal(value), constant: value };
}

function textConstant(value: string, scope: Scope): Typed {
  return { type: 'text', code: callHelper(scope, () => value), constant: value };
}

function identifier(name: string, node: ASTNode, scope: Scope): Typed {
  const stream = scope.streams.get(name);
  if (stream) return { type: 'stream', stream };
  if (isWho(name)) return { type: 'account', who: name };
  if (scope.streamsToCome.has(name))
    throw new ExpressionError(`the stream "${name}" must stand before the one that uses it, and none uses itself`, node.start);
  const known = [...scope.streams.keys(), 'tx', 'self', 'other', 'payer', 'payee', 'params'];
  if (known.includes(name))
    throw new ExpressionError(`"${name}" is nothing by itself; its fields are written like tx.amountFen`, node.start);
  throw new ExpressionError(`unknown name "${name}"${nearest(name, known)}`, node.start);
}

function member(node: ASTNode & { op: '.' }, scope: Scope): Typed {
  const [object, name] = node.args;
  if (object.op === 'call') return profileField(object, name, node, scope);
  if (object.op !== 'id')
    throw new ExpressionError(`"${name}" has nothing to stand on; fields are written like tx.amountFen`, node.start);
  if (object.args === 'params') {
    const value = own(scope.params, name);
    if (value === undefined)
      throw new ExpressionError(`unknown parameter "params.${name}"${nearest(name, Object.keys(scope.params))}`, node.start);
    const typed = parameter(value, scope);
    scope.parts.push({ start: node.start, end: node.end, value: typed });
    return typed;
  }
  const path = `${object.args}.${name}`;
  const field = own(fields, path);
  if (!field) throw new ExpressionError(`unknown field "${path}"${nearest(path, Object.keys(fields))}`, node.start);
  if (field.about && field.about !== scope.about)
    throw new ExpressionError(`"${path}" exists only ${whereAbout[field.about]}`, node.start);
  const typed = field.make(scope);
  if ((typed.type === 'text' && !typed.known) || path.startsWith('login.'))
    scope.cost = Math.max(scope.cost, costRank['look-up']);
  if (typed.type === 'number') scope.parts.push({ start: node.start, end: node.end, value: typed });
  return typed;
}

function isWho(name: string): name is Who {
  return name === 'self' || name === 'other' || name === 'payer' || name === 'payee';
}

/** `profile(self).capitalFen`. */
function profileField(on: ASTNode, name: string, node: ASTNode, scope: Scope): Typed {
  const profile = compile(on, scope);
  if (profile.type !== 'profile')
    throw new ExpressionError(`"${name}" stands on a ${profile.type}; expected profile(self).${name}`, node.start);
  const field = own(profileFields, name);
  if (!field)
    throw new ExpressionError(`unknown field of a profile "${name}"${nearest(name, Object.keys(profileFields))}`, node.start);
  const typed = field.make(profile.who, scope);
  if (typed.type === 'number') scope.parts.push({ start: node.start, end: node.end, value: typed });
  return typed;
}

function parameter(value: Parameter, scope: Scope): Typed {
  if (typeof value === 'number') return constant(value);
  if (typeof value === 'string') return textConstant(value, scope);
  return { type: 'list', words: value };
}

function call(name: string, args: readonly ASTNode[], node: ASTNode, scope: Scope): Typed {
  const feature = own(functions, name);
  if (feature?.about && feature.about !== scope.about)
    throw new ExpressionError(`"${name}" exists only ${whereAbout[feature.about]}`, node.start);
  if (!feature) throw new ExpressionError(`unknown function "${name}"${nearest(name, Object.keys(functions))}`, node.start);
  const typedArgs = args.map((arg) => compile(arg, scope));
  const problem = feature.parameters.find(({ type }, i) => typedArgs[i]?.type !== type);
  if (problem || typedArgs.length !== feature.parameters.length) {
    const at = problem ? args[feature.parameters.indexOf(problem)] : undefined;
    throw new ExpressionError(`expected ${feature.usage}, like ${feature.example}`, at?.start ?? node.start);
  }
  scope.cost = Math.max(scope.cost, costRank[feature.cost]);
  const typed = feature.make(typedArgs, scope, (i, message) => {
    throw new ExpressionError(message, args[i]?.start ?? node.start);
  });
  if (typed.type === 'number' || typed.type === 'bool') scope.parts.push({ start: node.start, end: node.end, value: typed });
  return typed;
}

function method(name: string, on: ASTNode, args: readonly ASTNode[], node: ASTNode, scope: Scope): Typed {
  if (on.op === 'id' && on.args === 'use') return call(`use.${name}`, args, node, scope);
  const target = text(on, scope);
  const [first] = args;
  if (!first || args.length !== 1) throw new ExpressionError(`expected one text, like tx.remark.${name}("退款")`, node.start);
  const wanted = text(first, scope);
  const test = own(textMethods, name);
  if (!test) throw new ExpressionError(`unknown method "${name}"; texts have contains, startsWith and endsWith`, node.start);
  const whole = functionOf<string>(target.code, scope.helpers);
  const part = functionOf<string>(wanted.code, scope.helpers);
  return { type: 'bool', code: callHelper(scope, (leg) => test(whole(leg), part(leg))) };
}

const textMethods: Readonly<Record<string, (whole: string, part: string) => boolean>> = {
  contains: (whole, part) => whole.includes(part),
  startsWith: (whole, part) => whole.startsWith(part),
  endsWith: (whole, part) => whole.endsWith(part),
};

function list(items: readonly ASTNode[], scope: Scope): Typed {
  const words = items.map((item) => {
    const typed = compile(item, scope);
    if (typed.type !== 'text' || typed.constant === undefined) throw new ExpressionError('expected a text in quotes', item.start);
    return typed.constant;
  });
  return { type: 'list', words };
}

function arithmetic(op: '+' | '-' | '*' | '/' | '%', left: NumberTyped, right: NumberTyped): Typed {
  // Division by zero is unknown, not infinite: a ratio over nothing must not fire.
  const code = op === '/' ? `(${left.code} / (${right.code} || 0/0))` : `(${left.code} ${op} ${right.code})`;
  if (left.constant === undefined || right.constant === undefined) return { type: 'number', code };
  return constant(generate<() => number>([], `return ${code};`)());
}

function comparison(op: '<' | '<=' | '>' | '>=', left: NumberTyped, right: NumberTyped): Typed {
  // A walk that counts stops where the answer is known.
  if (left.reaches && (right.constant ?? 0) >= 1) {
    if (op === '>=') return { type: 'bool', code: left.reaches(right.code) };
    if (op === '<') return { type: 'bool', code: `!${left.reaches(right.code)}` };
  }
  return { type: 'bool', code: `(${left.code} ${op} ${right.code})` };
}

function equality(op: '==' | '!=', left: Typed, right: Typed, node: ASTNode, scope: Scope): Typed {
  // An unknown number is neither equal to anything nor different from it.
  if (op === '!=' && left.type === 'number' && right.type === 'number')
    return { type: 'bool', code: `(Math.abs(${left.code} - ${right.code}) > 0)` };
  const same = sameness(left, right, node, scope);
  return { type: 'bool', code: op === '==' ? same : `!${same}` };
}

function sameness(left: Typed, right: Typed, node: ASTNode, scope: Scope): string {
  if (left.type === 'enum' && right.type === 'text') return `(${left.code} === ${enumCode(left.names, right.constant, node)})`;
  if (left.type === 'text' && right.type === 'enum') return sameness(right, left, node, scope);
  if (left.type === 'text' && right.type === 'text') return sameText(left, right) ?? `(${left.code} === ${right.code})`;
  const comparable = left.type === right.type && (left.type === 'text' || left.type === 'number' || left.type === 'bool');
  if (!comparable || !('code' in right))
    throw new ExpressionError(`a ${left.type} is never equal to a ${right.type}`, node.start);
  return `(${left.code} === ${right.code})`;
}

/** Texts of the transaction are compared as they lie there. */
function sameText(left: TextTyped, right: TextTyped): string | undefined {
  if (left.known && right.known) return `${left.known}.equals(${right.known})`;
  if (left.known && right.constant !== undefined) return `${left.known}.isIn(${wordLists.register([right.constant])})`;
  return right.known && left.constant !== undefined ? sameText(right, left) : undefined;
}

function membership(left: Typed, right: Typed, node: ASTNode, scope: Scope): Typed {
  if (right.type === 'register') return onRegister(left, right.list, node, scope);
  if (right.type !== 'list') throw new ExpressionError('expected a list of texts after "in"', node.start);
  if (left.type === 'enum') {
    const codes = right.words.map((word) => enumCode(left.names, word, node));
    return { type: 'bool', code: `(${codes.map((code) => `${left.code} === ${code}`).join(' || ')})` };
  }
  if (left.type !== 'text') throw new ExpressionError(`a ${left.type} is never in a list of texts`, node.start);
  if (left.known) return { type: 'bool', code: `${left.known}.isIn(${wordLists.register(right.words)})` };
  const words = new Set(right.words);
  const read = functionOf<string>(left.code, scope.helpers);
  return { type: 'bool', code: callHelper(scope, (leg) => words.has(read(leg))) };
}

/** `payee in list("case-accounts")`: an account by its number, else by its holder's credit code; a text as it is. */
function onRegister(left: Typed, list: number, node: ASTNode, scope: Scope): Typed {
  scope.cost = Math.max(scope.cost, costRank['look-up']);
  if (left.type === 'account') {
    return { type: 'bool', code: callHelper(scope, isListed, partyCode[left.who], literal(list)) };
  }
  if (left.type !== 'text')
    throw new ExpressionError(`a ${left.type} is never on a list; expected an account or a text`, node.start);
  if (left.known) {
    return { type: 'bool', code: `leg.isTextListed(${left.known}, ${literal(list)})` };
  }
  const read = functionOf<string>(left.code, scope.helpers);
  return {
    type: 'bool',
    code: callHelper(scope, (leg) => {
      const text = read(leg);
      return text !== '' && leg.memory.lists.hasText(leg.memory.listNumbers[list]!, text, leg.timeMs);
    }),
  };
}

function enumCode(names: readonly string[], name: string | undefined, node: ASTNode): number {
  const code = name === undefined ? -1 : names.indexOf(name);
  if (code < 0) throw new ExpressionError(`expected one of ${names.map((known) => `"${known}"`).join(', ')}`, node.start);
  return code;
}

type NumberTyped = Typed & { type: 'number' };
type TextTyped = Typed & { type: 'text' };

function number(node: ASTNode, scope: Scope): NumberTyped {
  const typed = compile(node, scope);
  if (typed.type !== 'number') throw new ExpressionError(`expected a number, found a ${typed.type}`, node.start);
  return typed;
}

function bool(node: ASTNode, scope: Scope): string {
  const typed = compile(node, scope);
  if (typed.type !== 'bool') throw new ExpressionError(`expected a condition, found a ${typed.type}`, node.start);
  return typed.code;
}

function text(node: ASTNode, scope: Scope): Typed & { type: 'text' } {
  const typed = compile(node, scope);
  if (typed.type !== 'text') throw new ExpressionError(`expected a text, found a ${typed.type}`, node.start);
  return typed;
}
