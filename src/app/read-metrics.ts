import type { PatternDesk } from '../pipeline/pattern-desk.js';
import { within } from '../pipeline/within.js';
import type { Telemetry } from '../telemetry/telemetry.js';

interface CountedConsumer {
  readonly name: string;
  readonly topic: string;
  lag(): Promise<number>;
}

/** Stores are waited for no longer than this: metrics are looked at most while one of them is away. */
const probeMsMax = 1_000;

/**
 * The metrics in Prometheus's text format, whatever is away. A lag that is not known is left out, so that nobody takes the last one
 * for today's; what the patterns did stays as it was counted last. `desk` is null where nothing is scored.
 */
export async function readMetrics(
  consumers: readonly CountedConsumer[],
  desk: Pick<PatternDesk, 'counts'> | null,
  telemetry: Telemetry,
): Promise<string> {
  const lags = consumers.map(async (consumer) => {
    const records = await within(probeMsMax, consumer.lag()).catch(() => null);
    telemetry.consumerLag({ group: consumer.name, topic: consumer.topic, records });
  });
  const counts = desk && within(probeMsMax, desk.counts()).catch(() => null);
  await Promise.all(lags);
  const counted = await counts;
  if (counted) telemetry.patternsCounted(counted);
  return telemetry.metrics();
}
