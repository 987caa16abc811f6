import type { AmountSketches } from './amount-sketch.js';
import type { PairTable } from './pair-table.js';
import type { PlannedSketch } from './plan.js';
import type { LegLog } from './leg-log.js';
import { type PartyView, TransactionView } from './transaction-view.js';

/**
 * What conditions are asked about: one leg with its subject's row. One object serves all legs of an engine; compiled
 * expressions are functions of it.
 */
export class Evaluation {
  view: TransactionView;
  /** The account whose leg this is, and its counterparty. */
  self: PartyView;
  other: PartyView;
  isDebit = true;
  timeMs = 0;
  /** The latest event time the subject has seen, this leg included. Windows end here. */
  clockMs = 0;
  /** Day number and hour of `timeMs` in Asia/Shanghai. */
  day = 0;
  hour = 0;
  late = false;

  subject = 0;
  /** The subject's row: `row[base + column]`. */
  row: Float64Array = new Float64Array(0);
  base = 0;
  slot = -1;
  pair = -1;

  /** As they were before this leg. */
  pairLastDebitMs = 0;
  pairLastCreditMs = 0;
  previousLegMs = 0;

  /** The closed day or the spent lot that a `day` or `lots` stream is asked about. */
  dayDebitFen = 0;
  dayCreditFen = 0;
  dayCount = 0;
  dayBalanceFen = 0;
  lotAmountFen = 0;
  lotDwellMs = 0;

  constructor(
    readonly legs: LegLog,
    readonly pairs: PairTable,
    private readonly sketches: readonly AmountSketches[],
    private readonly plannedSketches: readonly PlannedSketch[],
  ) {
    this.view = new TransactionView();
    this.self = this.view.payer;
    this.other = this.view.payee;
  }

  samples(sketch: number): number {
    return this.sketches[sketch]!.samples(this.row, this.base + this.plannedSketches[sketch]!.column, this.clockMs);
  }

  percentile(sketch: number, rank: number): number {
    return this.sketches[sketch]!.percentile(this.row, this.base + this.plannedSketches[sketch]!.column, rank, this.clockMs);
  }
}
