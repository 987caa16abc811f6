/** What the platform has done and how it is, as it is shown. */
export interface StatusSummary {
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601: when what follows was counted in the warehouse; `pending`, `archiveLag` and latencies are of now. */
  readonly countedAt: string;
  /** Id of the pattern set in force. */
  readonly patternSet?: string;
  /** Id of a set that was decided on and that not every partition scores under yet. */
  readonly patternSetPending?: string;
  /** What the guard took out of force, and nobody has decided on since. */
  readonly patternsTakenBack?: {
    readonly id: string;
    readonly version: number;
    readonly at: string;
    readonly reason: string;
  }[];
  readonly transactions: {
    readonly accepted: number;
    /** Since this process started: what was sent again leaves no trace on the log. */
    readonly duplicates: number;
    readonly conflicts: number;
    readonly scored: number;
  };
  /** Reference records on the log. */
  readonly references: { readonly accepted: number };
  readonly rejected: { readonly total: number; readonly byReason: Readonly<Record<string, number>> };
  readonly hits: {
    /** Of active patterns. */
    readonly total: number;
    readonly byPattern: Readonly<Record<string, number>>;
    /** Of patterns on trial, which warn nobody. */
    readonly shadows: { readonly total: number; readonly byPattern: Readonly<Record<string, number>> };
  };
  readonly warnings: {
    readonly total: number;
    readonly open: number;
    readonly byLevel: { readonly red: number; readonly orange: number; readonly yellow: number; readonly blue: number };
  };
  readonly deliveries: {
    readonly delivered: number;
    /** Of the delivered ones, those that the endpoint's answer acknowledged. */
    readonly acknowledged: number;
    readonly pending: number;
    readonly refused: number;
    readonly exhausted: number;
    readonly cancelled: number;
    /** Attempts that failed and were made again. */
    readonly retries: number;
  };
  /** From intake to warning over the latest warnings; null before the first one. */
  readonly latencyMs: { readonly p50: number | null; readonly p99: number | null };
  /** Records on the log that the counts do not hold yet. */
  readonly archiveLag: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Sentences, one per thing that is wrong. */
  readonly problems: readonly string[];
}
