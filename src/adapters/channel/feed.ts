import type { Channel } from '../../ports/channel.js';

/** Shown on the feed as soon as it is on the log, which is before anything is dispatched: the delivery records that it was. */
export function createFeedChannel(): Channel {
  return { name: 'feed', deliver: () => Promise.resolve({ kind: 'delivered', status: 200, acknowledged: false }) };
}
