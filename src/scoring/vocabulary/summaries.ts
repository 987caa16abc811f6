import { dayMs } from '../../domain/bank-day.js';
import { literal } from '../generated.js';
import { callHelper } from '../typed-code.js';
import {
  asksHistory,
  checkShare,
  codeOf,
  endingWindow,
  type FunctionDefinition,
  pairMemoryMs,
  streamAndWindow,
  streamOf,
  windowOf,
} from './definitions.js';

/** What is usual for an account: summaries of its amounts, and running means of its turnover. */

function sketched(name: string, example: string, doc: string, rank: number | undefined): FunctionDefinition {
  const withRank = rank === undefined;
  return {
    usage: withRank ? `${name}(stream, rank, window)` : `${name}(stream, window)`,
    example,
    parameters: withRank
      ? [
          { name: 'stream', type: 'stream' },
          { name: 'rank', type: 'number' },
          { name: 'window', type: 'text' },
        ]
      : streamAndWindow,
    exactness: 'approximate',
    cost: 'kept',
    doc,
    make(args, scope, fail) {
      const stream = streamOf(args[0]!);
      if (stream.index >= 0) fail(0, 'expected debit, credit or any: amounts of named streams are not summarised');
      const window = windowOf(args.at(-1)!, scope, fail, args.length - 1);
      if (window.spanMsMax > pairMemoryMs || window.spanMsMax < dayMs)
        fail(args.length - 1, 'expected a window from "1d" to "400d"');
      if (withRank) checkShare(args[1], fail, 1);
      asksHistory(scope, fail);
      const sketch = scope.plan.sketch(stream.bit, window.spanMsMax);
      if (name === 'samples') return { type: 'number', code: `leg.samples(${sketch})` };
      return { type: 'number', code: `leg.percentile(${sketch}, ${withRank ? codeOf(args[1]) : literal(rank)})` };
    },
  };
}

function based(name: string, ask: 'zscore' | 'mean', what: 'sum' | 'count', example: string, doc: string): FunctionDefinition {
  return {
    usage: `${name}(stream, bucket, halfLife)`,
    example,
    parameters: [
      { name: 'stream', type: 'stream' },
      { name: 'bucket', type: 'text' },
      { name: 'halfLife', type: 'text' },
    ],
    exactness: 'approximate',
    cost: 'look-up',
    doc,
    make([typed, bucket, halfLife], scope, fail) {
      const stream = streamOf(typed!);
      if (stream.index >= 0) fail(0, 'expected debit, credit or any');
      const { spanMsMax: bucketMs } = endingWindow(bucket!, scope, fail, 1);
      const { spanMsMax: halfLifeMs } = endingWindow(halfLife!, scope, fail, 2);
      if (bucketMs !== 3_600_000 && bucketMs !== dayMs) fail(1, 'expected "1h" or "1d"');
      if (halfLifeMs < bucketMs) fail(2, 'expected a half-life longer than the bucket, such as "30d"');
      asksHistory(scope, fail);
      const planned = scope.plan.baseline(stream.bit, bucketMs, halfLifeMs);
      return {
        type: 'number',
        code: callHelper(scope, ({ memory, subject, timeMs }) =>
          memory.baselines[ask](subject, memory.baselineNumbers[planned]!, timeMs, what),
        ),
      };
    },
  };
}

export const summaryFunctions: Readonly<Record<string, FunctionDefinition>> = {
  median: sketched(
    'median',
    'tx.amountFen >= 5 * median(debit, "90d")',
    'Median of the amounts before this leg, in fen (±14 %); unknown without any.',
    0.5,
  ),
  percentile: sketched(
    'percentile',
    'tx.amountFen >= percentile(debit, 0.99, "365d")',
    'Amount that the share `rank` of the amounts before this leg did not exceed, in fen (±14 %).',
    undefined,
  ),
  samples: sketched(
    'samples',
    'samples(debit, "90d") >= 10',
    'How many amounts `median` and `percentile` know, this leg not included.',
    0,
  ),
  zscore: based(
    'zscore',
    'zscore',
    'sum',
    'zscore(any, "1h", "30d") >= 4',
    'Turnover of the hour or day so far against its exponentially weighted mean, in standard deviations; unknown before 20 of them.',
  ),
  zscoreCount: based(
    'zscoreCount',
    'zscore',
    'count',
    'zscoreCount(credit, "1h", "30d") >= 4',
    'The same for the number of legs.',
  ),
  baseline: based('baseline', 'mean', 'sum', 'sum(any, "1h") >= 5 * baseline(any, "1h", "30d")', 'That mean, in fen.'),
  baselineCount: based(
    'baselineCount',
    'mean',
    'count',
    'count(any, "1h") >= 5 * baselineCount(any, "1h", "30d")',
    'That mean, in legs.',
  ),
};
