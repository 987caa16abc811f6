import { z } from 'zod';
import { sharedKinds } from './reference.js';

export const severities = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Which side of the payment the pattern looks at, and so whom it may warn. */
export const patternSides = ['victim', 'mule'] as const;
export type PatternSide = (typeof patternSides)[number];

/**
 * Who is told, as seen from the account that hit: its holder, its bank, the other party's bank, the anti-fraud centres.
 * A holder who is suspected is never told (反洗钱法 2024, art. 35), of a mule-side hit or of any other, until a person has found that
 * the firm was tricked.
 */
export const audiences = ['enterprise', 'own-bank', 'other-bank', 'city-centre', 'provincial-centre'] as const;
export type Audience = (typeof audiences)[number];

const bilingual = z.object({ zh: z.string(), en: z.string() });
export type Bilingual = z.infer<typeof bilingual>;

const hitParty = z.object({
  account: z.string(),
  name: z.string().optional(),
  kind: z.enum(['corporate', 'personal']).optional(),
  bank: z.string().optional(),
  creditCode: z.string().optional(),
  region: z.string().optional(),
});
export type HitParty = z.infer<typeof hitParty>;

/** One pattern held on one leg. */
export const hitSchema = z.object({
  /** hash(bank, transaction id, pattern, pattern version, subject): the same on every replay. */
  id: z.string(),
  pattern: z.string(),
  version: z.int(),
  transaction: z.string(),
  bank: z.string().optional(),
  /** ISO 8601, event time of the transaction, as UTC milliseconds are turned into +08:00. */
  time: z.string(),
  /** The account whose leg it is, or the shared thing that several enterprises use. */
  subject: z.object({ kind: z.enum(['account', ...sharedKinds]), id: z.string() }),
  side: z.enum(patternSides),
  severity: z.enum(severities),
  /** 0 to 1. */
  score: z.number(),
  /** Shadow patterns are scored and kept but never warned. */
  state: z.enum(['active', 'shadow']),
  /** One sentence in each language, the condition with its values put in, and what is usual for the account where that is known. */
  explanation: bilingual.extend({ condition: z.string(), norm: bilingual.optional() }),
  /** Ids of transactions that led to the hit, newest first, the hit's own included. */
  evidence: z.array(z.string()),
  amountFen: z.int(),
  currency: z.string(),
  payer: hitParty,
  payee: hitParty,
  family: z.string(),
  title: bilingual,
  advice: bilingual,
  audience: z.array(z.enum(audiences)),
  bankCode: z.string().optional(),
  /** Departments that it concerns besides those who are warned. */
  refer: z.array(z.string()).optional(),
  /** The payer is to be warned, not the account that received the money. */
  warns: z.literal('payers').optional(),
  /** Who would be warned stands on a list of suspects at the leg's time: it is not told. */
  suspected: z.literal(true).optional(),
  /** The leg came out of its subject's time order. */
  late: z.boolean(),
  /** Epoch milliseconds at which intake accepted the transaction; not part of the hit's identity. */
  receivedAtMs: z.number(),
});
export type Hit = z.infer<typeof hitSchema>;
