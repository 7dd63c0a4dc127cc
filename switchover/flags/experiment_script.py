"""The script by which Redis keeps a batch of records: whole, once, and in bounded memory. Redis 6.2 and later."""

from __future__ import annotations

from typing import Final

# KEYS[1] is the last number of the instance; steps name the other keys by their place. A unit is kept as
# "exposed at|variant", or "-given at|variant given last" when it was seen with two variants; an event of a unit as
# "count|sum of values".
SCRIPT: Final = """
local sequence = tonumber(ARGV[1])
if sequence <= tonumber(redis.call('GET', KEYS[1]) or '0') then return 0 end
local max_events, max_units = tonumber(ARGV[2]), tonumber(ARGV[3])
local seen_seconds, count_seconds, experiment_seconds = ARGV[4], ARGV[5], ARGV[6]
local lifetimes = {}

local function expose(units, notes, unit, variant, at)
  local old = redis.call('HGET', units, unit)
  if not old then
    if redis.call('HLEN', units) >= max_units then
      redis.call('HINCRBY', notes, 'refused', 1)
    else
      redis.call('HSET', units, unit, at .. '|' .. variant)
    end
    return
  end
  local moved, since, before = string.match(old, '^(%-?)(%d+)|(.*)$')
  if not since then return end
  if before == variant then
    if tonumber(at) < tonumber(since) then redis.call('HSET', units, unit, moved .. at .. '|' .. variant) end
    return
  end
  if tonumber(at) >= tonumber(since) then since, before = at, variant end
  redis.call('HSET', units, unit, '-' .. since .. '|' .. before)
  if moved == '' then redis.call('HINCRBY', notes, 'reassigned', 1) end
end

local function count_watched(watch, watched, unit, old, event, at)
  if redis.call('HGET', watch, 'event') ~= event then return end
  local since, variant = string.match(old, '^%-?(%d+)|(.*)$')
  if not since or tonumber(at) < tonumber(since) then return end
  local trusted = tonumber(redis.call('HGET', watch, 'trusted') or '0')
  if variant == redis.call('HGET', watch, 'variant') and tonumber(since) < trusted then return end
  if redis.call('SADD', watched, unit) == 1 then redis.call('HINCRBY', watch, '=' .. variant, 1) end
end

local function happen(units, notes, kinds, events, watch, watched, unit, event, value, at)
  local old = redis.call('HGET', units, unit)
  if not old then return end
  count_watched(watch, watched, unit, old, event, at)
  if string.sub(old, 1, 1) == '-' then return end
  if tonumber(at) < tonumber(string.match(old, '^%d+')) then
    redis.call('HINCRBY', notes, 'early', 1)
    return
  end
  if redis.call('SISMEMBER', kinds, event) == 0 then
    if redis.call('SCARD', kinds) >= max_events then
      redis.call('HINCRBY', notes, 'kinds', 1)
      return
    end
    redis.call('SADD', kinds, event)
  end
  local count, total = string.match(redis.call('HGET', events, unit) or '0|', '^(%d+)|(.*)$')
  if value ~= '' then
    total = string.format('%.17g', (tonumber(total) or 0) + tonumber(value))
  end
  redis.call('HSET', events, unit, string.format('%d', count + 1) .. '|' .. total)
end

local at = 7
while at <= #ARGV do
  local step = ARGV[at]
  local function argument(n) return ARGV[at + n] end
  local function key(n) return KEYS[tonumber(ARGV[at + n])] end
  if step == 'c' then
    redis.call('HINCRBY', key(1), argument(2), argument(3))
    lifetimes[key(1)] = count_seconds
    at = at + 4
  elseif step == 'x' then
    expose(key(1), key(2), argument(3), argument(4), argument(5))
    lifetimes[key(1)], lifetimes[key(2)] = experiment_seconds, experiment_seconds
    at = at + 6
  else
    happen(key(1), key(2), key(3), key(4), key(5), key(6), argument(7), argument(8), argument(9), argument(10))
    for n = 1, 6 do lifetimes[key(n)] = experiment_seconds end
    at = at + 11
  end
end
for name, seconds in pairs(lifetimes) do redis.call('EXPIRE', name, seconds) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', seen_seconds)
return 1
"""
