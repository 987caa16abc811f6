import { z } from 'zod';

/** Examples of a pattern file: short streams of transactions and reference records. */

const text = (max: number) => z.string().min(1).max(max);
export const exampleLinesMax = 80;
/** `2026-07-01 09:30` in Asia/Shanghai. */
const at = z.string().regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2})?$/, 'expected for example 2026-07-01 09:30');
const repetition = {
  /** Repeats the line; `{n}` in names counts 1, 2, 3 … */
  times: z.int().min(1).max(500).default(1),
  every: z
    .string()
    .regex(/^\d{1,4}(s|m|h|d)$/, 'expected for example 30m')
    .default('1m'),
};

const exampleTransaction = z.strictObject({
  at,
  from: text(40),
  to: text(40),
  yuan: z.number().positive(),
  remark: z.string().max(200).optional(),
  channel: text(32).optional(),
  currency: z.string().length(3).optional(),
  status: z.enum(['settled', 'pending', 'failed', 'reversed']).optional(),
  /** Balance afterwards, in yuan, of the payer and of the payee. */
  fromBalance: z.number().optional(),
  toBalance: z.number().optional(),
  /** Names of the holders; the accounts' names of the example where they are left out. */
  fromName: text(120).optional(),
  toName: text(120).optional(),
  device: z.strictObject({ id: text(64).optional(), ip: text(45).optional(), mac: text(32).optional() }).optional(),
  operator: text(64).optional(),
  ...repetition,
});
export type ExampleTransaction = z.infer<typeof exampleTransaction>;
export const exampleTransactionFields = Object.keys(exampleTransaction.shape);

const exampleRecord = z.strictObject({
  at,
  /** A reference record; names of the example's accounts stand for their numbers. */
  record: z.looseObject({ type: text(40) }),
  ...repetition,
});
export type ExampleRecord = z.infer<typeof exampleRecord>;

export const exampleSchema = z.strictObject({
  name: text(200),
  /** The account (or shared thing) that must, or must not, be hit. */
  subject: text(64),
  transactions: z
    .array(z.union([exampleTransaction, exampleRecord]))
    .min(1)
    .max(exampleLinesMax),
});
export type PatternExample = z.infer<typeof exampleSchema>;

export const exampleAccount = z.strictObject({
  kind: z.enum(['corporate', 'personal']).optional(),
  name: text(120).optional(),
  /** `auto` makes a valid code of its own for each account. */
  creditCode: text(18).optional(),
  /** Two digits of the province; a list is dealt out to `{n}` accounts in turn. */
  province: z.union([z.int(), z.array(z.int()).min(1)]).optional(),
  /** All six digits. */
  region: z.union([z.string().regex(/^\d{6}$/), z.array(z.string().regex(/^\d{6}$/)).min(1)]).optional(),
  openedOn: z.iso.date().optional(),
});
