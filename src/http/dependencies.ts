import type {
  LifeEntry,
  LifeLog,
  PatternDetail,
  PatternDiff,
  PatternItem,
  PushedView,
  SetDiff,
} from '../domain/pattern-views.js';
import type { Recipient, RecipientInput } from '../domain/recipient.js';
import type { Refusals } from '../domain/refusal.js';
import type { Readiness, StatusSummary } from '../domain/status.js';
import type { Verdict, Warning } from '../domain/warning.js';

/**
 * What the HTTP interface needs from the rest of the platform. An error with `retriable: true` is answered 503 with
 * Retry-After; by name `OffsetOutOfRange` 410, `CursorUnknown` and `RecipientRefused` 400, `BodyTooLong` 413; any other is
 * a fault, answered 500 without its message and reported to `onFault`.
 */
export interface HttpDependencies {
  readonly intake: Intake;
  readonly warnings: Warnings;
  readonly feed: Feed;
  readonly refusals: Refusals;
  readonly recipients: Recipients;
  readonly patterns: Patterns;
  readonly backtests: Backtests;
  /** Null for an unknown key. Must compare in constant time. */
  authenticate(key: string): Caller | null;
  status(): Promise<StatusSummary>;
  readiness(): Promise<Readiness>;
  /** Sentences about what is wrong and is being ridden out; empty when nothing is. */
  health(): readonly string[];
  /** Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
  /** Told of every body that was answered 503 before it was read: intake has not seen it. */
  onTurnedAway(): void;
  /** Told of every fault that was answered 500; the message never reaches the caller. */
  onFault(fault: RequestFault): void;
}

export interface RequestFault {
  readonly method: string;
  /** The route, not the URL: no query, no ids. */
  readonly route: string;
  readonly error: unknown;
}

export interface Caller {
  /** Of the key: two keys may have one name. */
  readonly id: string;
  readonly role: 'bank' | 'centre' | 'enterprise';
  /** Bank number; set for banks. */
  readonly bank?: string;
  readonly name: string;
}

export interface Intake {
  /** `body` is NDJSON, of reference records `only` where set; one result per line that is not blank. Resolves after the durable append. */
  accept(body: Uint8Array, options: IntakeOptions): Promise<readonly LineResult[]>;
}

export interface IntakeOptions {
  /** The one bank that the caller may report for. */
  readonly bank: string | undefined;
  /** Some types of reference records are taken from the centre only. */
  readonly sender: 'bank' | 'centre';
  readonly only: 'references' | undefined;
}

export interface LineResult {
  /** Counted from 1, blank lines included. */
  readonly line: number;
  readonly id?: string;
  readonly status: 'accepted' | 'duplicate' | 'rejected' | 'conflict';
  readonly reason?: string;
  readonly field?: string;
  readonly message?: string;
}

export interface FeedItem {
  /** Opaque, at most 200 of `[A-Za-z0-9._:~-]`; everything up to and including this item has been seen. */
  readonly cursor: string;
  readonly event: 'warning.raised' | 'warning.updated';
  readonly warning: Warning;
}

export interface Feed {
  /** Items after `cursor`, oldest first; undefined = from the first kept. `cursor` of the answer is where to go on. */
  read(cursor: string | undefined, limit: number): Promise<{ items: readonly FeedItem[]; cursor: string }>;
  /** True when there is something after `cursor`, false at the time-out or when `signal` aborts. */
  wait(cursor: string | undefined, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** A cursor after which about `count` items remain; 0 = the end. */
  tail(count: number): Promise<string>;
}

export type WarningCommand =
  | { readonly kind: 'acknowledge'; readonly note?: string }
  | { readonly kind: 'dispose'; readonly verdict: Verdict; readonly note: string }
  | { readonly kind: 'appeal'; readonly text: string };

export type CommandResult =
  | { readonly kind: 'accepted'; readonly warning?: Warning }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'conflict'; readonly reason?: string };

export interface Warnings {
  page(query: { after?: string | undefined; limit: number }): Promise<{ items: readonly FeedItem[]; next: string }>;
  get(id: string): Promise<Warning | null>;
  /** Those that nobody has acknowledged, in no order; `next` is null at the end, and a page before that may be empty. */
  open(query: { after?: string | undefined; limit: number }): Promise<{ items: readonly Warning[]; next: string | null }>;
  /** `idempotencyKey` is unique per caller; the same key means the same command. */
  command(id: string, command: WarningCommand, by: string, idempotencyKey?: string): Promise<CommandResult>;
}

export interface Recipients {
  /** `secret` (`whsec_…`) is set when the recipient is new, and never given again. */
  put(id: string, recipient: RecipientInput): Promise<{ created: boolean; secret?: string }>;
  list(): Promise<readonly Recipient[]>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
}

/** A set rolled back to may be left out: then the one before is meant. */
export type PatternCommand =
  | {
      readonly kind: 'shadow' | 'activate' | 'retire' | 'rollback';
      readonly pattern: string;
      readonly version: number | undefined;
    }
  | { readonly kind: 'rollback-set'; readonly set: string | undefined };

export type PatternOutcome =
  | { readonly kind: 'proposed'; readonly pushed: PushedView }
  | { readonly kind: 'done'; readonly entry: LifeEntry }
  /** A file does not load, or one of its examples fails; `pointer` is file, line and column. */
  | { readonly kind: 'broken'; readonly errors: readonly { readonly pointer: string; readonly detail: string }[] }
  | { readonly kind: 'refused' | 'unknown'; readonly reason: string };

export interface Patterns {
  list(): Promise<{ readonly patternSet: string; readonly items: readonly PatternItem[] }>;
  get(id: string, version?: number): Promise<PatternDetail | null>;
  diff(id: string, from?: number, to?: number): Promise<PatternDiff | null>;
  diffSets(from?: string, to?: string): Promise<SetDiff | null>;
  log(query: { before?: number | undefined; limit: number; pattern?: string | undefined }): Promise<LifeLog>;
  /** `by` is the name of the key's holder. */
  propose(files: readonly { file: string; text: string }[], by: string, note: string | undefined): Promise<PatternOutcome>;
  command(command: PatternCommand, by: string, note: string | undefined): Promise<PatternOutcome>;
  /** JSON schema of a pattern file. */
  schema(): object;
}

export interface BacktestStart {
  readonly files: readonly { readonly file: string; readonly text: string }[];
  /** First day, and the day after the last, in Asia/Shanghai: `2026-06-01`. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** The drafts and what they replace, without the other patterns. */
  readonly alone: boolean;
  readonly labels:
    | readonly {
        readonly transaction: string;
        readonly label: 0 | 1;
        readonly typology: string;
        readonly scheme?: number | string | undefined;
        readonly accounts?: string[] | undefined;
      }[]
    | undefined;
}

export type BacktestStarted =
  | { readonly kind: 'started' | 'busy'; readonly id: string }
  | { readonly kind: 'broken'; readonly errors: readonly { readonly pointer: string; readonly detail: string }[] };

export interface BacktestView {
  readonly id: string;
  readonly status: 'running' | 'done' | 'failed' | 'cancelled';
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly transactions: number;
    readonly hits: { readonly inForce: number; readonly draft: number };
  };
  readonly message?: string;
  readonly report?: object;
}

export interface Backtests {
  start(request: BacktestStart): Promise<BacktestStarted>;
  get(id: string): BacktestView | null;
  html(id: string): Promise<string | null>;
  cancel(id: string): boolean;
}
