import { z } from 'zod';
import { audiences, patternSides } from './hit.js';

/** Warning levels, lowest to highest: 蓝 黄 橙 红. */
export const levels = ['blue', 'yellow', 'orange', 'red'] as const;
export type Level = (typeof levels)[number];

export const warningStatuses = ['open', 'acknowledged', 'disposed'] as const;

/** What a person found: fraud, the payment was stopped, a false alarm, nobody reachable, a firm that was tricked into being a mule. */
export const verdicts = ['fraud', 'dissuaded', 'false-alarm', 'unreachable', 'tricked'] as const;
export type Verdict = (typeof verdicts)[number];

const bilingual = z.object({ zh: z.string(), en: z.string() });

const holderKind = z.enum(['corporate', 'personal']);

export const warningSubjectSchema = z.object({
  /** The enterprise's unified social credit code where the bank sent it, else the account. */
  key: z.string(),
  name: z.string(),
  /** What the bank says of the holder, where the name by itself says otherwise. */
  kind: holderKind.optional(),
  creditCode: z.string().optional(),
  account: z.string(),
  bank: z.string().optional(),
  region: z.string().optional(),
});

export const warningHitSchema = z.object({
  id: z.string(),
  pattern: z.string(),
  version: z.int(),
  severity: z.string(),
  score: z.number(),
  transaction: z.string(),
  time: z.string(),
  amountFen: z.int(),
  title: bilingual,
  reason: bilingual,
  /** Absent where a reference record led to the hit. */
  counterparty: z
    .object({ account: z.string(), name: z.string().optional(), kind: holderKind.optional(), bank: z.string().optional() })
    .optional(),
  bankCode: z.string().optional(),
});
export type WarningHit = z.infer<typeof warningHitSchema>;

const dispositionSchema = z.object({
  verdict: z.enum(verdicts),
  note: z.string().optional(),
  by: z.string(),
  /** ISO 8601, when it was said. */
  at: z.string(),
});

/** Most dispositions that a warning keeps, the latest ones. */
export const dispositionsKeptMax = 20;

/**
 * What people are told: the hits of one enterprise (or account), one pattern family and one calendar day
 * (Asia/Shanghai), with a level and a life-cycle. Accounts are whole here; masking is done where they are shown.
 */
export const warningSchema = z.object({
  /** hash(subject key, family, day): the same whatever the order the hits came in. */
  id: z.string(),
  /** Counts up with every change. */
  revision: z.int(),
  family: z.string(),
  side: z.enum(patternSides),
  day: z.string(),
  subject: warningSubjectSchema,
  level: z.enum(levels),
  /** 0 to 1, noisy-or over the patterns that hit. */
  score: z.number(),
  audience: z.array(z.enum(audiences)),
  /** The holder is suspected itself, whatever the side: it is not told. */
  suspected: z.literal(true).optional(),
  status: z.enum(warningStatuses),
  verdict: z.enum(verdicts).optional(),
  note: z.string().optional(),
  /** Of the disposition that stands: who found it and when. */
  disposedBy: z.string().optional(),
  disposedAt: z.string().optional(),
  /** Every disposition, the one that stands last, at most `dispositionsKeptMax`. Warnings of earlier releases have none. */
  dispositions: z.array(dispositionSchema).optional(),
  /** The sum of the distinct transactions that hit, in fen. */
  amountFen: z.int(),
  currency: z.string(),
  title: bilingual,
  reason: bilingual,
  advice: bilingual,
  /** At most 50, strongest first; `hitCount` counts all. */
  hits: z.array(warningHitSchema),
  hitCount: z.int(),
  /** ISO 8601 event time of the first and the latest transaction. */
  firstTime: z.string(),
  lastTime: z.string(),
  /** ISO 8601 wall-clock: when the first transaction came in, when the warning was raised, by when someone must acknowledge. */
  receivedAt: z.string(),
  raisedAt: z.string(),
  dueAt: z.string(),
  acknowledgedAt: z.string().optional(),
  acknowledgedBy: z.string().optional(),
  /** People who acknowledged it after somebody else had, or said more; in the order they did. */
  acknowledgedAgain: z.array(z.object({ by: z.string(), at: z.string(), note: z.string().optional() })).optional(),
  appeal: z.object({ by: z.string(), text: z.string(), at: z.string() }).optional(),
});
export type Warning = z.infer<typeof warningSchema>;
