import { z } from 'zod';
import { eventTime, instant } from './event-time.js';
import { amountFenMax } from './money.js';
import { accountNumber as account } from './transaction.js';

/**
 * Reference data: what a bank or a centre knows besides transactions. One JSON object a line, told from a transaction by its
 * `type`; it travels on the log among the transactions and counts from its place there on. `id` is unique within its sender.
 */

const text = (max: number) => z.string().min(1).max(max);
const date = z.iso.date('expected a date such as 2024-01-01');
const fen = z.int().min(0).max(amountFenMax);
const region = z.string().regex(/^\d{6}$/, 'expected 6 digits (GB/T 2260)');
const creditCode = z.string().regex(/^[0-9A-Z]{18}$/, 'expected 18 digits or capital letters');

const common = {
  id: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'expected 1 to 64 printable ASCII characters without spaces'),
  /** When it happened or began to hold. */
  time: eventTime,
  /** The reporting bank's number; the key's bank where it is left out. */
  bank: z
    .string()
    .regex(/^[0-9A-Za-z]{3,14}$/)
    .optional(),
};

export const enterpriseStatuses = ['active', 'deregistered', 'revoked', 'abnormal'] as const;
/** What of an account may change (`account-change`). */
export const accountChanges = [
  'opened',
  'closed',
  'seal',
  'phone',
  'operator',
  'token',
  'limit',
  'legal-rep',
  'name',
  'address',
] as const;

/** What is known of the enterprise that holds an account. A later profile of the account replaces the earlier one whole. */
export const profileSchema = z.strictObject({
  ...common,
  type: z.literal('profile'),
  account,
  name: text(120).optional(),
  creditCode: creditCode.optional(),
  /** Paid-in capital. */
  capitalFen: fen.optional(),
  /** Declared revenue of a month. */
  monthlyRevenueFen: fen.optional(),
  /** GB/T 4754 class, such as `F51`. */
  industry: text(8).optional(),
  /** Registered address, as text; equal texts are one address. */
  address: text(200).optional(),
  region: region.optional(),
  /** Name of the legal representative; with `legalRepId` (a number or its hash) people of one name are told apart. */
  legalRep: text(60).optional(),
  legalRepId: text(64).optional(),
  legalRepBirthYear: z.int().min(1900).max(2100).optional(),
  legalRepRegion: region.optional(),
  phone: text(32).optional(),
  /** Who opened the account for the enterprise (代办人). */
  agent: text(64).optional(),
  status: z.enum(enterpriseStatuses).optional(),
  licenceUntil: date.optional(),
  registeredOn: date.optional(),
  /** When its basic account (基本户) was opened. */
  basicAccountOn: date.optional(),
  /** Staff with social insurance. */
  insuredStaff: z.int().min(0).max(10_000_000).optional(),
  /** Names of shareholders, relatives and related firms whose accounts count as the enterprise's own circle. */
  related: z.array(text(120)).max(50).optional(),
  /** Accounts or names of employees (and their relatives). */
  employees: z.array(text(120)).max(500).optional(),
  /** Amount from which a payment needs approval inside the enterprise. */
  approvalLimitFen: fen.optional(),
});

export const accountChangeSchema = z.strictObject({
  ...common,
  type: z.literal('account-change'),
  account,
  what: z.enum(accountChanges),
  /** For `opened`: who the account belongs to, so that openings of one person or agent are counted. */
  legalRepId: text(64).optional(),
  agent: text(64).optional(),
});

/** A login or a step of a session of online banking. */
export const loginSchema = z.strictObject({
  ...common,
  type: z.literal('login'),
  account,
  session: text(64).optional(),
  step: z.enum(['login', 'maker', 'checker']).default('login'),
  device: z.strictObject({ id: text(64).optional(), ip: text(45).optional(), mac: text(32).optional() }).optional(),
  operator: text(64).optional(),
  /** Where the IP is: two digits of the province, 0 abroad. */
  province: z.int().min(0).max(99).optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
  isRemoteControlled: z.boolean().optional(),
});

export const stopPaySchema = z.strictObject({
  ...common,
  type: z.literal('stop-pay'),
  account,
  action: z.enum(['stop', 'freeze', 'release']),
});

/** An account of a case: 0 the first account that took the victim's money, 1 the next one … */
export const caseSchema = z.strictObject({
  ...common,
  type: z.literal('case-account'),
  account,
  level: z.int().min(0).max(5).default(0),
});

/** Adds entries to a named list, or takes them off, from `from` (else `time`) until `until`. */
export const listSchema = z.strictObject({
  ...common,
  type: z.literal('list'),
  list: z.string().regex(/^[a-z][a-z0-9-]{1,39}$/, 'expected a name such as case-accounts'),
  action: z.enum(['add', 'remove']),
  entries: z.array(text(120)).min(1).max(1_000),
  from: instant.optional(),
  until: instant.optional(),
});

/** The day's price of 100 units of a foreign currency in fen. */
export const exchangeRateSchema = z.strictObject({
  ...common,
  type: z.literal('exchange-rate'),
  currency: z.string().regex(/^[A-Z]{3}$/, 'expected an ISO 4217 code'),
  fenPer100: z.int().min(1).max(100_000_000),
});

export const referenceSchema = z.discriminatedUnion('type', [
  profileSchema,
  accountChangeSchema,
  loginSchema,
  stopPaySchema,
  caseSchema,
  listSchema,
  exchangeRateSchema,
]);
export type Reference = z.infer<typeof referenceSchema>;
export type Profile = z.infer<typeof profileSchema>;
export type Login = z.infer<typeof loginSchema>;
export type ListChange = z.infer<typeof listSchema>;

/** What several enterprises may share. */
export const sharedKinds = ['device', 'ip', 'mac', 'operator', 'legal-rep', 'phone', 'address', 'agent'] as const;
export type SharedKind = (typeof sharedKinds)[number];

/** Key that a shared thing is partitioned by: `device:4f…`. */
export function sharedKey(kind: SharedKind, value: string): string {
  return `${kind}:${value}`;
}
