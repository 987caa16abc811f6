import { z } from 'zod';
import { levels } from './warning.js';

/** What a province tunes about warnings: `config/warnings.yaml`. */

const share = z.number().gt(0).max(1);
const minutes = z.int().min(1).max(43_200);

export const warningPolicySchema = z.strictObject({
  /** How much a pattern of this severity adds, times the hit's own score. */
  severityWeights: z.strictObject({ low: share, medium: share, high: share, critical: share }),
  /** Least score of each level; below yellow's it is blue. */
  levelScores: z
    .strictObject({ yellow: share, orange: share, red: share })
    .refine((at) => at.yellow < at.orange && at.orange < at.red, 'expected yellow < orange < red'),
  /** Below this score nobody is told: the hits are kept, and count once others come to them. */
  leastScore: z.number().min(0).max(1).default(0),
  /** The level that one hit of this severity reaches by itself. */
  severityFloors: z.strictObject({
    low: z.enum(levels),
    medium: z.enum(levels),
    high: z.enum(levels),
    critical: z.enum(levels),
  }),
  /** A critical pattern and this many other patterns make it red whatever the score. */
  redCorroboration: z.int().min(1).max(10),
  /** By when someone must acknowledge, in minutes from when the level was reached. */
  dueMinutes: z.strictObject({ red: minutes, orange: minutes, yellow: minutes, blue: minutes }),
});
export type WarningPolicy = z.infer<typeof warningPolicySchema>;
