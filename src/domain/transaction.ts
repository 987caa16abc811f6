import { z } from 'zod';
import { eventTime } from './event-time.js';
import { amountFenMax } from './money.js';

/**
 * A transaction as a bank reports it, one JSON object. Required: `id`, `time`, `payer.account`,
 * `payee.account`, `amountFen`. Fields that are not named here are kept under `extra`.
 */

export const accountKinds = ['corporate', 'personal'] as const;

export const transactionStatuses = ['settled', 'pending', 'failed', 'reversed'] as const;

/** Longest transaction record accepted, in bytes of UTF-8 JSON. */
export const transactionBytesMax = 16_384;
/** Deepest nesting accepted inside one transaction record. */
export const transactionDepthMax = 8;

const text = (max: number) => z.string().max(max);
/** How an account's number is written. */
export const accountForm = /^[0-9A-Za-z-]{4,34}$/;
export const accountNumber = z.string().regex(accountForm, 'expected 4 to 34 letters, digits or hyphens');
const bankCode = z.string().regex(/^[0-9A-Za-z]{3,14}$/, 'expected a 12-digit bank number (or a BIC)');
const calendarDate = z.iso.date('expected a date such as 2024-01-01');

export const partySchema = z.object({
  account: accountNumber,
  name: text(120).optional(),
  kind: z.enum(accountKinds).optional(),
  bank: bankCode.optional(),
  /** Unified social credit code of the enterprise that holds the account (GB 32100-2015). */
  creditCode: z
    .string()
    .regex(/^[0-9A-Z]{18}$/, 'expected 18 digits or capital letters')
    .optional(),
  /** Administrative division, 6 digits (GB/T 2260). */
  region: z
    .string()
    .regex(/^\d{6}$/, 'expected 6 digits (GB/T 2260)')
    .optional(),
  openedOn: calendarDate.optional(),
  /** Balance of the account after this transaction, in fen. */
  balanceFen: z.int().min(-amountFenMax).max(amountFenMax).optional(),
});
export type Party = z.infer<typeof partySchema>;

export const transactionSchema = z.object({
  /** Unique within the reporting bank. */
  id: z
    .string()
    .regex(
      /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/,
      'expected 1 to 64 printable ASCII characters without spaces, quotes or backslashes',
    ),
  time: eventTime,
  amountFen: z.int('expected an integer number of fen').min(1, 'expected at least 1 fen').max(amountFenMax),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'expected an ISO 4217 code')
    .default('CNY'),
  status: z.enum(transactionStatuses).default('settled'),
  payer: partySchema,
  payee: partySchema,
  /** The bank that reports; the payer's bank where it is left out. */
  bank: bankCode.optional(),
  channel: text(32).optional(),
  remark: text(200).optional(),
  device: z.object({ id: text(64).optional(), ip: text(45).optional(), mac: text(32).optional() }).optional(),
  /** The person at the enterprise who entered the payment (经办人). */
  operator: text(64).optional(),
  extra: z.record(z.string().max(64), z.unknown()).optional(),
});
export type Transaction = z.infer<typeof transactionSchema>;
