import { generate } from './generated.js';
import { legNumber } from './leg-log.js';
import { pairWord, type PairTable } from './pair-table.js';
import type { Cell } from './plan.js';

/** What a leg does to the kept numbers of a window over base streams, as generated code: one straight run over a window's cells. */

/** The leg is where its numbers begin in `numbers` (see `LegLog`). */
export type Raise = (
  row: Float64Array,
  base: number,
  numbers: Float64Array,
  leg: number,
  startsMs: Float64Array,
  lastOfPairMs: Float64Array,
) => void;
export type Drop = (
  row: Float64Array,
  base: number,
  streams: number,
  amountFen: number,
  slot: number,
  pairs: PairTable,
  pair: number,
) => void;

/** A window over base streams that sliding or calendar time ends, or `ever`, which nothing ends. */
interface RaisedWindow {
  readonly cells: readonly Cell[];
  /** Place of its beginning in `startsMs`; -1 for `ever`. */
  readonly start: number;
}

/** What a new leg of these streams does to the cells of all windows that it is inside of. */
export function generateRaise(windows: readonly RaisedWindow[], streams: number, distinctBits: readonly number[]): Raise {
  const statement = ({ kind, column: at, bit }: Cell, isEver: boolean): string => {
    const cell = `row[base + ${at}]`;
    // An unknown extreme of a sliding window is found again when somebody asks; the one of `ever` begins here.
    const isFirst = isEver ? ` || ${cell} !== ${cell}` : '';
    switch (kind) {
      case 'count':
        return `${cell} += 1;`;
      case 'sum':
        return `${cell} += amountFen;`;
      case 'distinct':
        return `if (last[${distinctBits.indexOf(bit)}] <= ${isEver ? '-1/0' : 'startMs'}) ${cell} += 1;`;
      case 'max':
        return `if (amountFen > ${cell}${isFirst}) ${cell} = amountFen;`;
      case 'min':
        return `if (amountFen < ${cell}${isFirst}) ${cell} = amountFen;`;
    }
  };
  const blocks = windows.map(({ cells, start }) => {
    const statements = cells.filter(({ bit }) => (bit & streams) !== 0).map((cell) => statement(cell, start < 0));
    if (statements.length === 0) return '';
    return start < 0 ? statements.join(' ') : `startMs = starts[${start}]; if (timeMs > startMs) { ${statements.join(' ')} }`;
  });
  return generate<Raise>(
    ['row', 'base', 'numbers', 'leg', 'starts', 'last'],
    `const timeMs = numbers[leg + ${legNumber.timeMs}], amountFen = numbers[leg + ${legNumber.amountFen}]; let startMs = 0;\n${blocks.join('\n')}`,
  );
}

/** What a leg that leaves does to them. It was its counterparty where no later leg of the pair is in the stream. */
export function generateDrop(cells: readonly Cell[], distinctBits: readonly number[]): Drop {
  const statement = ({ kind, column: at, bit }: Cell): string => {
    const cell = `row[base + ${at}]`;
    switch (kind) {
      case 'count':
        return `${cell} -= 1;`;
      case 'sum':
        return `${cell} -= amountFen;`;
      case 'distinct':
        return `if (pair >= 0 && pairs.words[pair * pairs.width * 2 + ${pairWord.fixed + distinctBits.indexOf(bit)}] === slot) ${cell} -= 1;`;
      case 'max':
      case 'min':
        return `if (${cell} === amountFen) ${cell} = 0/0;`;
    }
  };
  return generate<Drop>(['row', 'base', 'bits', 'amountFen', 'slot', 'pairs', 'pair'], byBit(cells, 'bits', statement));
}

function byBit(cells: readonly Cell[], bits: string, statement: (cell: Cell) => string): string {
  const distinct = [...new Set(cells.map(({ bit }) => bit))];
  return distinct
    .map(
      (bit) =>
        `if ((${bits} & ${bit}) !== 0) { ${cells
          .filter((cell) => cell.bit === bit)
          .map(statement)
          .join(' ')} }`,
    )
    .join('\n');
}
