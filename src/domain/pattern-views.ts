import { z } from 'zod';
import { patternSides, severities } from './hit.js';

/** How patterns, their history and their differences are shown, over HTTP and on the command line alike. */

const bilingual = z.object({ zh: z.string(), en: z.string() });
const state = z.enum(['draft', 'shadow', 'active', 'retired']);

export const patternItemSchema = z.object({
  id: z.string(),
  version: z.int(),
  state,
  side: z.enum(patternSides),
  severity: z.enum(severities),
  family: z.string(),
  title: bilingual,
  proposedBy: z.string().optional(),
  /** Of an active version: who put it into force, and when. */
  activatedBy: z.string().optional(),
  since: z.string().optional(),
  /** It looks back further than the kept transactions reach; null where there are none yet. */
  warming: z
    .object({ until: z.string().nullable() })
    .optional()
    .meta({ description: 'looks back further than the kept transactions reach, until that time' }),
  silent: z.string().optional().meta({ description: 'why it cannot hit: data that was never sent' }),
  takenBack: z
    .object({ at: z.string(), reason: z.string() })
    .optional()
    .meta({ description: 'the guard has taken it out of force' }),
  /** Since the process started. */
  live: z
    .object({
      hits: z.int(),
      perThousand: z.number().nullable().meta({ description: 'hits per 1,000 scored transactions' }),
      microseconds: z.number().nullable().meta({ description: 'mean time of asking its condition once' }),
      nearMisses: z
        .array(z.object({ condition: z.string(), count: z.int() }))
        .meta({ description: 'in shadow: parts of the condition that were the only one not to hold, most frequent first' }),
      faults: z.int(),
    })
    .optional(),
});
export type PatternItem = z.infer<typeof patternItemSchema>;

const who = z.object({ by: z.string(), at: z.string() });
export const patternDetailSchema = patternItemSchema.extend({
  condition: z.string(),
  advice: bilingual,
  audience: z.array(z.string()),
  bankCode: z.string().optional(),
  source: z.string().optional(),
  text: z.string().meta({ description: 'the pattern file' }),
  versions: z
    .array(
      z.object({
        version: z.int(),
        state,
        proposed: who,
        approved: who.optional(),
        note: z.string().optional(),
      }),
    )
    .meta({ description: 'newest first, at most 100' }),
});
export type PatternDetail = z.infer<typeof patternDetailSchema>;

export const lifeVerbs = [
  'seeded',
  'pushed',
  'proposed',
  'shadowed',
  'activated',
  'retired',
  'rolled-back',
  'taken-back',
  'stopped',
] as const;

/** One change of the patterns, as it is remembered. */
export const lifeEntrySchema = z.object({
  revision: z.int(),
  at: z.string(),
  by: z.string(),
  how: z.enum(lifeVerbs),
  note: z.string().optional(),
  reason: z.string().optional().meta({ description: 'why the guard acted' }),
  moves: z.array(z.object({ pattern: z.string(), version: z.int(), from: state.nullable(), to: state })),
  set: z.string().meta({ description: 'the set in force afterwards' }),
});
export type LifeEntry = z.infer<typeof lifeEntrySchema>;

export const lifeLogSchema = z.object({
  entries: z.array(lifeEntrySchema),
  next: z.int().nullable().meta({ description: 'give it as `before` to go on; null at the end' }),
});
export type LifeLog = z.infer<typeof lifeLogSchema>;

const parameter = z.union([z.number(), z.string(), z.array(z.string())]);

/** What differs between two versions of a pattern: in the words that a reviewer needs first, and line by line. */
export const patternDiffSchema = z.object({
  pattern: z.string(),
  from: z.int().nullable().meta({ description: 'null where there was none' }),
  to: z.int().nullable(),
  condition: z.boolean().meta({ description: 'the condition, or a stream that it looks at, reads otherwise' }),
  params: z.array(z.object({ name: z.string(), from: parameter.optional(), to: parameter.optional() })),
  parts: z.array(z.string()).meta({ description: 'other parts of the file that differ: severity, audience, examples …' }),
  text: z.string().meta({ description: 'unified diff; empty for equal texts' }),
});
export type PatternDiff = z.infer<typeof patternDiffSchema>;

export const setDiffSchema = z.object({
  from: z.string(),
  to: z.string(),
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(patternDiffSchema),
  states: z
    .array(z.object({ pattern: z.string(), from: state, to: state }))
    .meta({ description: 'of patterns whose text is the same' }),
});
export type SetDiff = z.infer<typeof setDiffSchema>;

/** What a push of pattern files led to. */
export const pushedSchema = z.object({
  kind: z.enum(['in-force', 'proposed']),
  set: z.string().meta({ description: 'id of the set in force' }),
  added: z.array(z.string()),
  changed: z.array(z.string()),
  same: z.array(z.string()),
});
export type PushedView = z.infer<typeof pushedSchema>;
