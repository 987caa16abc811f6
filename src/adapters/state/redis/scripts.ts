import { createHash } from 'node:crypto';
import type { Argument, Command } from './connection.js';

/** Ids of its latest commits that a slot keeps. One that is asked for again is told from a new one as long as its id is among them. */
export const recentMax = 1_024;

/**
 * A slot is four keys of one hash tag, so that one server holds all of it and one script may touch it:
 * `values` (hash), `order` (sorted set of the same keys, all of score 0, so in byte order), `head` (hash: `store`, whose it is;
 * `commits`, how many there were) and `recent` (list of commit ids, refused ones with a minus before them).
 */
export interface SlotKeys {
  readonly values: string;
  readonly order: string;
  readonly head: string;
  readonly recent: string;
}

export function slotKeys(prefix: string, slot: string): SlotKeys {
  const tag = `{${prefix}:${slot}}`;
  return { values: `${tag}:values`, order: `${tag}:order`, head: `${tag}:head`, recent: `${tag}:recent` };
}

/** Where the store's own id is, and the set of the slots that were begun. */
export const storeKeys = (prefix: string) => ({ store: `{${prefix}}:store`, slots: `{${prefix}}:slots` });

/** As many arguments as Lua's stack takes in one call, with room to spare; even, for pairs. */
const chunk = 2_000;

/**
 * One commit. An error inside a script leaves what was written before it, so everything that can fail comes before the first
 * write. Answers {status, commits}; `stale` = too many commits since `base` to tell whether this one is among them.
 *
 * KEYS values order head recent
 * ARGV id, store, base, begun (1 = the slot must be there), doubt (1 = it may have been applied before),
 *      counts of absent, equal, put, deleted; then keys; key, value pairs; key, value pairs; keys
 */
const commitText = `
local values, order, head, recent = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local wanted = { [values] = 'hash', [order] = 'zset', [head] = 'hash', [recent] = 'list' }
for key, kind in pairs(wanted) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then return { 'foreign', key } end
end
local id, store, base, doubt = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5] == '1'
local owner = redis.call('HGET', head, 'store')
if owner then
  if owner ~= store then return { 'foreign', head } end
elseif ARGV[4] == '1' or redis.call('EXISTS', values, order, head, recent) > 0 then
  return { 'gone', head }
end
local commits = tonumber(redis.call('HGET', head, 'commits') or '0')
if not commits then return { 'foreign', head } end

if doubt or commits > base then
  if redis.call('LPOS', recent, id) then
    if doubt then redis.call('HSET', head, 'asked', id) end
    return { 'committed', commits }
  end
  if redis.call('LPOS', recent, '-' .. id) then return { 'conflict', commits } end
  if commits - base >= ${recentMax} then return { 'stale', commits } end
end

local function note(mark)
  redis.call('HSET', head, 'store', store)
  local count = redis.call('HINCRBY', head, 'commits', 1)
  redis.call('RPUSH', recent, mark)
  redis.call('LTRIM', recent, -${recentMax}, -1)
  return count
end

local at = 10
local function conflict()
  if doubt then commits = note('-' .. id) end
  return { 'conflict', commits }
end
local absent, equal, put, deleted = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
for i = at, at + absent - 1 do
  if redis.call('HEXISTS', values, ARGV[i]) == 1 then return conflict() end
end
at = at + absent
for i = at, at + equal * 2 - 1, 2 do
  if redis.call('HGET', values, ARGV[i]) ~= ARGV[i + 1] then return conflict() end
end
at = at + equal * 2

local putFrom, deleteFrom = at, at + put * 2
for i = deleteFrom, deleteFrom + deleted - 1, ${chunk} do
  local last = math.min(i + ${chunk} - 1, deleteFrom + deleted - 1)
  if redis.call('HDEL', values, unpack(ARGV, i, last)) > 0 then redis.call('ZREM', order, unpack(ARGV, i, last)) end
end
for i = putFrom, deleteFrom - 1, ${chunk} do
  local last = math.min(i + ${chunk} - 1, deleteFrom - 1)
  if redis.call('HSET', values, unpack(ARGV, i, last)) > 0 then
    local keys = {}
    for k = i, last, 2 do
      keys[#keys + 1] = 0
      keys[#keys + 1] = ARGV[k]
    end
    redis.call('ZADD', order, unpack(keys))
  end
end
return { 'committed', note(id) }
`;

/** KEYS values order head; ARGV lowest, highest (as of ZRANGEBYLEX), limit. Answers {store, key, value, key, value …} of one instant. */
const scanText = `
local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local reply = { redis.call('HGET', KEYS[3], 'store') }
for i = 1, #keys, ${chunk} do
  local last = math.min(i + ${chunk} - 1, #keys)
  local found = redis.call('HMGET', KEYS[1], unpack(keys, i, last))
  for k = i, last do
    reply[#reply + 1] = keys[k]
    reply[#reply + 1] = found[k - i + 1]
  end
end
return reply
`;

/** KEYS store slots; ARGV an id, if it has none. Answers {id, slots that were begun}. */
const beginText = `
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
redis.call('HSETNX', KEYS[1], 'format', '1')
return { redis.call('HGET', KEYS[1], 'id'), redis.call('SCARD', KEYS[2]) }
`;

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });

export const commitScript = script(commitText);
export const scanScript = script(scanText);
export const beginScript = script(beginText);

/** `whole` sends the text, which a server that has forgotten its scripts needs once. */
export function runScript({ text, sha }: Script, whole: boolean, keys: readonly string[], args: readonly Argument[]): Command {
  return whole ? ['EVAL', text, keys.length, ...keys, ...args] : ['EVALSHA', sha, keys.length, ...keys, ...args];
}
