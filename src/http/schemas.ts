import { z } from 'zod';
import {
  lifeEntrySchema,
  lifeLogSchema,
  patternDetailSchema,
  patternDiffSchema,
  patternItemSchema,
  pushedSchema,
  setDiffSchema,
} from '../domain/pattern-views.js';
import { recipientIdSchema, recipientInputSchema, recipientKinds, type RecipientInput } from '../domain/recipient.js';
import { sharedKinds } from '../domain/reference.js';
import { refusalSchema } from '../domain/refusal.js';
import { verdicts, warningSchema, warningSubjectSchema } from '../domain/warning.js';

/** Shapes of requests and answers; the OpenAPI document is derived from them. */

const bilingual = z.object({ zh: z.string(), en: z.string() });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });

export const lineResultSchema = z
  .object({
    line: z.int().meta({ description: 'line of the body, counted from 1' }),
    id: z.string().optional(),
    status: z.enum(['accepted', 'duplicate', 'rejected', 'conflict']),
    reason: z.string().optional(),
    field: z.string().optional(),
    message: z.string().optional(),
  })
  .meta({ id: 'LineResult', description: 'One a line (NDJSON), in the order of the lines sent' });

export const presentedWarningSchema = warningSchema
  .extend({
    subject: warningSubjectSchema.extend({
      shared: z
        .object({ kind: z.enum(sharedKinds), value: z.string() })
        .optional()
        .meta({ description: 'what several enterprises share, where the warning is about that' }),
    }),
    levelWord: bilingual,
  })
  .meta({ id: 'Warning', description: 'Accounts, names of persons and numbers in free text are masked' });

/** Opaque to callers; bounded so that it may travel in a header. */
export const cursorSchema = z.string().regex(/^[A-Za-z0-9._:~-]{1,200}$/, 'expected a cursor given by this interface');

const feedItemSchema = z
  .object({ cursor: cursorSchema, event: z.enum(['warning.raised', 'warning.updated']), warning: presentedWarningSchema })
  .meta({ id: 'FeedItem' });

export const warningsQuery = z.strictObject({
  after: cursorSchema.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export const warningsPage = z.object({ items: z.array(feedItemSchema), next: cursorSchema }).meta({ id: 'WarningsPage' });
export const openWarningsPage = z
  .object({ items: z.array(presentedWarningSchema), next: cursorSchema.nullable() })
  .meta({ id: 'OpenWarningsPage' });

export const rejectedQuery = warningsQuery.extend({
  bank: z
    .string()
    .regex(/^[0-9A-Za-z]{3,14}$/)
    .optional(),
});
export const rejectedPage = z.object({ items: z.array(refusalSchema), next: cursorSchema }).meta({ id: 'RejectedPage' });

export const idParams = z.object({ id: z.string().min(1).max(128) });

const by = z.string().trim().min(1).max(64).optional();
export const acknowledgeBody = z.strictObject({ by, note: z.string().max(500).optional() }).meta({ id: 'Acknowledgement' });
export const dispositionBody = z
  .strictObject({ by, verdict: z.enum(verdicts), note: z.string().trim().min(1, 'say what was found').max(500) })
  .meta({ id: 'Disposition' });
export const appealBody = z.strictObject({ by, text: z.string().trim().min(1, 'say why').max(2_000) }).meta({ id: 'Appeal' });

export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'expected 1 to 128 printable characters without spaces')
    .optional(),
});

export const commandAnswer = z
  .object({ status: z.literal('accepted'), warning: presentedWarningSchema.optional() })
  .meta({ id: 'CommandAccepted' });

export const recipientBody = recipientInputSchema.superRefine(refuseCredentials).meta({ id: 'RecipientInput' });
export const recipientParams = z.object({ id: recipientIdSchema });

const recipientSchema = z.object({
  id: z.string(),
  kind: z.enum(recipientKinds),
  match: z.string(),
  name: z.string(),
  webhook: z.object({ url: z.string().meta({ description: 'without its query' }) }),
});
export const recipientsAnswer = z.object({ items: z.array(recipientSchema) }).meta({ id: 'Recipients' });
export const recipientStored = z
  .object({ id: z.string(), secret: z.string().optional().meta({ description: 'whsec_…, given once' }) })
  .meta({ id: 'RecipientStored' });

const counts = z.record(z.string(), z.int());
export const statusSchema = z
  .object({
    startedAt: z.string(),
    countedAt: z.string().meta({ description: 'when the counts were made; pending, archiveLag and latencyMs are of now' }),
    patternSet: z.string().optional(),
    patternSetPending: z.string().optional().meta({ description: 'decided on, and not taken by every partition yet' }),
    patternsTakenBack: z
      .array(z.object({ id: z.string(), version: z.int(), at: z.string(), reason: z.string() }))
      .optional()
      .meta({ description: 'what the guard took out of force, and nobody has decided on since' }),
    transactions: z.object({ accepted: z.int(), duplicates: z.int(), conflicts: z.int(), scored: z.int() }),
    references: z.object({ accepted: z.int() }),
    rejected: z.object({ total: z.int(), byReason: counts }),
    hits: z.object({
      total: z.int().meta({ description: 'of active patterns' }),
      byPattern: counts,
      shadows: z.object({ total: z.int(), byPattern: counts }).meta({ description: 'of patterns in shadow, which warn nobody' }),
    }),
    warnings: z.object({
      total: z.int(),
      open: z.int(),
      byLevel: z.object({ red: z.int(), orange: z.int(), yellow: z.int(), blue: z.int() }),
    }),
    deliveries: z.object({
      delivered: z.int(),
      acknowledged: z.int(),
      pending: z.int(),
      refused: z.int(),
      exhausted: z.int(),
      cancelled: z.int(),
      retries: z.int(),
    }),
    latencyMs: z.object({ p50: z.number().nullable(), p99: z.number().nullable() }),
    archiveLag: z.int(),
  })
  .meta({ id: 'Status' });

export const readinessSchema = z.object({ ready: z.boolean(), problems: z.array(z.string()) }).meta({ id: 'Readiness' });

export const patternsAnswer = z
  .object({ patternSet: z.string(), items: z.array(patternItemSchema.meta({ id: 'PatternItem' })) })
  .meta({ id: 'Patterns' });
export const patternDetail = patternDetailSchema.meta({ id: 'Pattern' });
export const patternDiff = patternDiffSchema.meta({ id: 'PatternDiff' });
export const patternSetDiff = setDiffSchema.meta({ id: 'PatternSetDiff' });
export const patternLog = lifeLogSchema.meta({ id: 'PatternLog' });
export const patternDecided = lifeEntrySchema.meta({ id: 'PatternDecided' });
export const patternsPushed = pushedSchema.meta({ id: 'PatternsPushed' });

const versionNumber = z.int().min(1).max(9_999);
const queryVersion = z.coerce.number().int().min(1).max(9_999).optional();
const setIdSchema = z.string().regex(/^[0-9a-f]{8,64}$/, 'expected the id of a set');
const note = z.string().trim().min(1).max(500).optional();
export const patternQuery = z.strictObject({ version: queryVersion });
export const patternDiffQuery = z.strictObject({ from: queryVersion, to: queryVersion });
export const patternSetDiffQuery = z.strictObject({ from: setIdSchema.optional(), to: setIdSchema.optional() });
export const patternLogQuery = z.strictObject({
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  pattern: z.string().min(1).max(10).optional(),
});
export const patternsPushBody = z
  .strictObject({
    files: z
      .array(z.strictObject({ file: z.string().min(1).max(200), text: z.string().max(65_536) }))
      .min(1)
      .max(500),
    note,
  })
  .meta({ id: 'PatternsPush' });
export const patternCommandBody = z.strictObject({ version: versionNumber.optional(), note }).meta({ id: 'PatternCommand' });
/** Whoever puts something into force says which text they have looked at. */
export const patternActivateBody = z.strictObject({ version: versionNumber, note }).meta({ id: 'PatternActivate' });
export const patternSetRollbackBody = z.strictObject({ set: setIdSchema.optional(), note }).meta({ id: 'PatternSetRollback' });

export const streamQuery = z.strictObject({
  after: cursorSchema.optional(),
  from: z.enum(['start', 'recent', 'now']).default('start'),
});
export const streamHeaders = z.object({ 'last-event-id': cursorSchema.optional() });

/** A name and password in an address would be shown with it and end up in logs. */
function refuseCredentials({ webhook }: RecipientInput, context: z.RefinementCtx): void {
  const url = URL.canParse(webhook.url) ? new URL(webhook.url) : null;
  if (url && (url.username !== '' || url.password !== '')) {
    const message = 'expected no user name or password in the address';
    context.addIssue({ code: 'custom', path: ['webhook', 'url'], message });
  }
}
