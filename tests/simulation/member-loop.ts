import { watchFailed } from '../../src/adapters/log/reopening.js';
import type { Log, PartitionProcessor, Topic } from '../../src/ports/log.js';

/** How a member works on one partition, as the adapters of the log do. */
export interface LoopMember {
  readonly topic: Topic;
  readonly log: Log;
  readonly open: (partition: number) => Promise<PartitionProcessor>;
}

export interface Loop {
  readonly stop: AbortController;
  position: number | undefined;
  isOpen: boolean;
  isIdle: boolean;
  inBatch: boolean;
  ended: Promise<void>;
}

const idleWaitMs = 60_000;

/** Opens the partition and works on it until the loop is stopped. */
export async function work(member: LoopMember, p: number, loop: Loop, progressed: () => void): Promise<void> {
  if (loop.stop.signal.aborted) return;
  const processor = await member.open(p);
  try {
    loop.isOpen = true;
    await processAll(member, p, loop, processor, progressed);
  } catch (error) {
    await processor.close().catch(() => undefined);
    throw error;
  } finally {
    [loop.isOpen, loop.isIdle, loop.inBatch] = [false, false, false];
  }
  await processor.close();
}

async function processAll(
  member: LoopMember,
  p: number,
  loop: Loop,
  processor: PartitionProcessor,
  progressed: () => void,
): Promise<void> {
  const { topic } = member;
  const watch = watchFailed(processor.failed, loop.stop.signal);
  let position = processor.start === 'earliest' ? (await member.log.bounds(topic, p)).first : processor.start;
  loop.position = position;
  while (!watch.signal.aborted) {
    const batch = await member.log.read(topic, p, position, processor.limit);
    if (batch.records.length === 0) {
      loop.isIdle = true;
      await member.log.waitFor(topic, p, position, idleWaitMs, watch.signal);
      loop.isIdle = false;
      continue;
    }
    loop.inBatch = true;
    await processor.process(batch);
    // Whoever lets records go and looks at them all the same sees what another batch left there.
    if (processor.letsGo) for (const { value } of batch.records) value.fill(0xff);
    loop.inBatch = false;
    position = batch.next;
    loop.position = position;
    progressed();
  }
  watch.check();
}
