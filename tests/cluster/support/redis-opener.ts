/** Opens the state on Redis in a process of its own, for the contract suite. */
import { createRedisState, type RedisStateOptions } from '../../../src/adapters/state/redis.js';
import type { State } from '../../../src/ports/state.js';

export function openState(options: RedisStateOptions): Promise<State> {
  return createRedisState(options);
}
