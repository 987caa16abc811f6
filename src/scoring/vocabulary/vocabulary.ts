import { comparableText } from '../comparable-text.js';
import { callHelper } from '../typed-code.js';
import { wordLists } from '../word-lists.js';
import { codeOf, type FunctionDefinition } from './definitions.js';
import { knowledgeFunctions } from './knowledge.js';
import { windowFunctions } from './windows.js';

/** Every field and function of the pattern language, each with its meaning: the manual is made from these tables. */

export { baseStreams } from './definitions.js';
export { fields } from './fields.js';
export { profileFields } from './profiles.js';

function pick(name: string, doc: string, choose: 'Math.min' | 'Math.max'): FunctionDefinition {
  return {
    usage: `${name}(number, number)`,
    example: `tx.amountFen >= ${name}(10000000, self.balanceFen)`,
    parameters: [
      { name: 'a', type: 'number' },
      { name: 'b', type: 'number' },
    ],
    exactness: 'exact',
    cost: 'kept',
    doc,
    make([a, b]) {
      return { type: 'number', code: `${choose}(${codeOf(a)}, ${codeOf(b)})` };
    },
  };
}

export const functions: Readonly<Record<string, FunctionDefinition>> = {
  ...windowFunctions,
  ...knowledgeFunctions,
  mentions: {
    usage: 'mentions(text, words)',
    example: 'mentions(tx.remark, ["退款", "退回"])',
    parameters: [
      { name: 'text', type: 'text' },
      { name: 'words', type: 'list' },
    ],
    exactness: 'exact',
    cost: 'look-up',
    doc: 'The text holds at least one of the words, [however it is written](#texts-and-words).',
    make([text, words], _, fail) {
      const listed = words!.type === 'list' ? words!.words : [];
      if (text!.type !== 'text' || !text!.known) return fail(0, 'expected a text of the transaction, such as tx.remark');
      const blank = listed.findIndex((word) => word !== '' && comparableText(word) === '');
      if (blank >= 0)
        return fail(1, `"${listed[blank]}" holds nothing that can be looked for; texts are compared without spaces`);
      return { type: 'bool', code: `${text!.known}.mentions(${wordLists.register(listed)})` };
    },
  },
  unknown: {
    usage: 'unknown(number)',
    example: 'unknown(other.ageDays)',
    parameters: [{ name: 'value', type: 'number' }],
    exactness: 'exact',
    cost: 'kept',
    doc: 'The bank did not send what the value is made of.',
    make([value], scope) {
      return { type: 'bool', code: callHelper(scope, (_, number) => Number.isNaN(number), codeOf(value)) };
    },
  },
  least: pick('least', 'The smaller of two numbers.', 'Math.min'),
  greatest: pick('greatest', 'The larger of two numbers.', 'Math.max'),
};
