export { createRedisState, type RedisState, type RedisStateOptions, type RedisTrouble } from './redis/state.js';
export { checkRedis } from './redis/check.js';
export { RedisRefused, StoreLost } from './redis/faults.js';
