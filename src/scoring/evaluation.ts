import type { AccountRecords } from './account-records.js';
import type { AmountSketches } from './amount-sketch.js';
import type { Baselines } from './baselines.js';
import type { ExchangeRates } from './exchange-rates.js';
import { dayMs, dayNumber, shanghaiOffsetMs } from '../domain/bank-day.js';
import type { LoginView } from './login-view.js';
import { type SharedKind, sharedKinds } from '../domain/reference.js';
import type { LegLog } from './leg-log.js';
import type { LikeAmounts } from './like-amounts.js';
import type { Lists } from './lists.js';
import type { NameHistory } from './name-history.js';
import type { NamedWindows } from './named-windows.js';
import type { PairTable } from './pair-table.js';
import type { PlannedSketch } from './plan.js';
import type { Firms } from './shared-firms.js';
import type { SharedUse } from './shared-use.js';
import type { Arrival, Traces } from './traces.js';
import { SpanText } from './span-text.js';
import { type PartyView, TransactionView } from './transaction-view.js';

/** Where the texts of a payment stand among those of an evaluation; those of a party follow one another. */
export const textPlace = { remark: 0, channel: 1, ip: 2, device: 3, mac: 4, operator: 5, payer: 6, payee: 9 } as const;
export const partyText = { name: 0, bank: 1, creditCode: 2 } as const;
const partyTexts = 3;

/** What the engine keeps besides its rows, for conditions to ask. */
export interface Memory {
  readonly legs: LegLog;
  readonly likeAmounts: LikeAmounts;
  /** For so long single legs are kept for certain. */
  readonly legsMs: number;
  readonly pairs: PairTable;
  readonly named: NamedWindows;
  readonly lists: Lists;
  /** This engine's numbers of the lists that the plan names, in the plan's order. */
  readonly listNumbers: readonly number[];
  readonly records: AccountRecords;
  readonly names: NameHistory;
  readonly uses: SharedUse;
  readonly firms: Firms;
  readonly traces: Traces;
  readonly baselines: Baselines;
  readonly rates: ExchangeRates;
  /** This engine's numbers of the plan's baselines. */
  readonly baselineNumbers: readonly number[];
  readonly sketches: readonly AmountSketches[];
  readonly plannedSketches: readonly PlannedSketch[];
}

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

  /** Numbers of the two accounts. */
  subject = 0;
  otherNumber = 0;
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

  /** The texts of the payment in hand, by place. */
  private readonly texts: readonly SpanText[] = Array.from({ length: textPlace.payee + partyTexts }, () => new SpanText());
  /** Counts the payments that were in hand. */
  round = 0;
  /** By list, of the payer and then of the payee: 0 not asked yet, 1 not on it, 2 on it; of the payment that `listedRound` tells. */
  private readonly listed: Uint8Array;
  private listedRound = -1;

  /** By named stream: the number of the leg that joined it last. */
  readonly joined: Float64Array;
  legNumber = 0;

  /** When intake took what is in hand. */
  receivedAtMs = 0;

  /** 53-bit hashes of the payment's device, IP, MAC and operator on the payer's leg; 0 where it names none. */
  readonly sharedKeys = new Float64Array(4);

  /** What `arrival`, `use` and `record` patterns are asked about. */
  arrival: Arrival | undefined = undefined;
  useKind = 0;
  /** See `thingKey`. */
  useKey = 0.5;
  useValue = '';
  recordType = '';
  recordWhat = '';
  recordAction = '';

  private loginOf = -1;
  private loginAtMs = 0;
  private latestLogin: LoginView | undefined = undefined;

  constructor(
    readonly memory: Memory,
    streams: number,
  ) {
    this.joined = new Float64Array(streams).fill(-1);
    this.listed = new Uint8Array(memory.listNumbers.length * 2);
    this.view = new TransactionView();
    this.self = this.view.payer;
    this.other = this.view.payee;
  }

  /** Payments of the subject to the counterparty before this leg, and the other way round. */
  pairPayments(isDebit: boolean): number {
    const { pairs } = this.memory;
    if (this.pair < 0) return 0;
    return pairs.words[this.pair * pairs.width * 2 + pairs.countsAt + (isDebit ? 0 : 1)]!;
  }

  lastOfPairMs(isDebit: boolean): number {
    return isDebit ? this.pairLastDebitMs : this.pairLastCreditMs;
  }

  /** Says when the leg in hand happened. */
  at(timeMs: number): void {
    this.timeMs = timeMs;
    this.day = dayNumber(timeMs);
    this.hour = Math.floor((timeMs + shanghaiOffsetMs - this.day * dayMs) / 3_600_000);
  }

  /** The latest login of the account before the leg. */
  login(): LoginView | undefined {
    if (this.loginOf !== this.subject || this.loginAtMs !== this.timeMs) {
      this.loginOf = this.subject;
      this.loginAtMs = this.timeMs;
      this.latestLogin = this.memory.records.login(this.subject, this.timeMs);
    }
    return this.latestLogin;
  }

  /** Puts another payment, or a record in the form of one, in hand. */
  take(view: TransactionView): void {
    this.round++;
    this.view = view;
    this.loginOf = -1;
  }

  /** What is known by now of the payment's parties and the lists: see `listed`. */
  get listedByNow(): Uint8Array {
    if (this.listedRound !== this.round) {
      this.listedRound = this.round;
      this.listed.fill(0);
    }
    return this.listed;
  }

  get remark(): SpanText {
    return this.textAt(textPlace.remark);
  }

  get channel(): SpanText {
    return this.textAt(textPlace.channel);
  }

  /** A text of the payment in hand; see `textPlace`. */
  textAt(place: number): SpanText {
    const found = this.texts[place]!;
    if (found.round !== this.round) {
      found.round = this.round;
      setText(found, this.view, place);
    }
    return found;
  }

  /** A text of the payment is on a list at the leg's time (`list`: its number in the plan). */
  isTextListed(text: SpanText, list: number): boolean {
    const { lists, listNumbers } = this.memory;
    const number = listNumbers[list]!;
    if (!lists.isKnown(number) || text.isEmpty) return false;
    return text.isAmong((bytes, start, end, hash) => lists.hasBytes(number, bytes, start, end, hash, this.timeMs));
  }

  get useKindName(): SharedKind {
    return sharedKinds[this.useKind]!;
  }

  samples(sketch: number): number {
    const { sketches, plannedSketches } = this.memory;
    return sketches[sketch]!.samples(this.row, this.base + plannedSketches[sketch]!.column, this.clockMs);
  }

  percentile(sketch: number, rank: number): number {
    const { sketches, plannedSketches } = this.memory;
    return sketches[sketch]!.percentile(this.row, this.base + plannedSketches[sketch]!.column, rank, this.clockMs);
  }
}

function setText(text: SpanText, view: TransactionView, place: number): void {
  switch (place) {
    case textPlace.remark:
      return text.set(view, view.remarkStart, view.remarkEnd);
    case textPlace.channel:
      return text.set(view, view.channelStart, view.channelEnd);
    case textPlace.ip:
      return text.set(view, view.ipStart, view.ipEnd);
    case textPlace.device:
      return text.set(view, view.deviceStart, view.deviceEnd);
    case textPlace.mac:
      return text.set(view, view.macStart, view.macEnd);
    case textPlace.operator:
      return text.set(view, view.operatorStart, view.operatorEnd);
    default:
      return place < textPlace.payee
        ? setPartyText(text, view, view.payer, place - textPlace.payer)
        : setPartyText(text, view, view.payee, place - textPlace.payee);
  }
}

function setPartyText(text: SpanText, view: TransactionView, party: PartyView, place: number): void {
  switch (place) {
    case partyText.name:
      return text.set(view, party.nameStart, party.nameEnd);
    case partyText.bank:
      return text.set(view, party.bankStart, party.bankEnd);
    default:
      return text.set(view, party.creditCodeStart, party.creditCodeEnd);
  }
}
