/** A payment before it is written down: accounts are indexes of the population. */
export interface Payment {
  readonly payer: number;
  readonly payee: number;
  readonly amountFen: number;
  readonly remark: string;
  readonly channel: Channel;
}

export type Channel = 'ebank' | 'mobile' | 'counter' | 'batch' | 'auto' | 'pos';

export const typologies = ['V01', 'V11', 'V12', 'M01', 'M02', 'M03', 'M04', 'M05', 'M07', 'M08', 'M12', 'M16'] as const;
/** The pattern of the catalogue that a planted scheme follows. */
export type Typology = (typeof typologies)[number];

/** A payment of a planted scheme, fixed before the day begins. */
export interface PlannedPayment extends Payment {
  readonly timeMs: number;
  readonly typology: Typology;
  /** Counts the schemes of the whole file; with the typology it names one scheme. */
  readonly scheme: number;
}
