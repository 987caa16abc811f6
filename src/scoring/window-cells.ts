import { generate } from './generated.js';
import { pairWord, type PairTable } from './pair-table.js';
import type { Cell } from './plan.js';

/** What a leg does to the kept numbers of a window over base streams, as generated code: one straight run over a window's cells. */

export type Raise = (
  row: Float64Array,
  base: number,
  bits: number,
  amountFen: number,
  startMs: number,
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

/** What a new leg does to a window's cells. */
export function generateRaise(cells: readonly Cell[], distinctBits: readonly number[]): Raise {
  const statement = ({ kind, column: at, bit }: Cell): string => {
    const cell = `row[base + ${at}]`;
    switch (kind) {
      case 'count':
        return `${cell} += 1;`;
      case 'sum':
        return `${cell} += amountFen;`;
      case 'distinct':
        return `if (last[${distinctBits.indexOf(bit)}] <= startMs) ${cell} += 1;`;
      // An unknown extreme of a sliding window is found again when somebody asks; the one of `ever` begins here.
      case 'max':
        return `if (amountFen > ${cell} || (startMs === -1/0 && ${cell} !== ${cell})) ${cell} = amountFen;`;
      case 'min':
        return `if (amountFen < ${cell} || (startMs === -1/0 && ${cell} !== ${cell})) ${cell} = amountFen;`;
    }
  };
  return generate<Raise>(['row', 'base', 'bits', 'amountFen', 'startMs', 'last'], byBit(cells, 'bits', statement));
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
