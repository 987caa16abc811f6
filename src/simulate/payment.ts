import type { Device } from './devices.js';
import type { AnyStagedRecord } from './reference-line.js';

/** A payment before it is written down: accounts are indexes of the population. */
export interface Payment {
  readonly payer: number;
  readonly payee: number;
  readonly amountFen: number;
  readonly remark: string;
  readonly channel: Channel;
  /** What the payment was made with, where it is not the payer's usual machine. */
  readonly device?: Device;
  /** Who made it, where it is none of the payer's usual people. */
  readonly operator?: string;
}

export type Channel = 'ebank' | 'mobile' | 'counter' | 'batch' | 'auto' | 'pos' | 'atm';

/** The pattern of the catalogue that a planted scheme follows, or the shape of one of the eight classic schemes. */
export const typologies = [
  ...(['V01', 'V02', 'V03', 'V04', 'V05', 'V06', 'V07', 'V08', 'V09', 'V10', 'V11', 'V12', 'V13', 'V14', 'V15', 'V16'] as const),
  ...(['M01', 'M02', 'M03', 'M04', 'M05', 'M06', 'M07', 'M08', 'M09', 'M10', 'M11', 'M12', 'M13', 'M14', 'M15', 'M16'] as const),
  ...(['M17', 'M18', 'M19', 'M20', 'M21', 'M22', 'M23', 'M24', 'M25', 'M26', 'M27', 'M28', 'M29', 'M30', 'M31', 'M32'] as const),
  ...(['M33', 'M34', 'M35', 'M36', 'M37', 'M38', 'M39', 'M40', 'M41', 'M42'] as const),
  ...(['fan_in', 'fan_out', 'cycle', 'bipartite', 'stack', 'random', 'scatter_gather', 'gather_scatter'] as const),
] as const;
export type Typology = (typeof typologies)[number];

/** A payment of a planted scheme, fixed before the day begins. */
export interface PlannedPayment extends Payment {
  readonly timeMs: number;
  readonly typology: Typology;
  /** Counts the schemes of the whole file; with the typology it names one scheme. */
  readonly scheme: number;
  /** Grows the amount until this share of the payer's balance is left. */
  readonly drainTo?: number;
}

/** A reference record of a planted scheme, fixed before the day begins. */
export interface PlannedRecord {
  readonly timeMs: number;
  readonly scheme: number;
  readonly record: AnyStagedRecord;
}
