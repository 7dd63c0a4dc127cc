"""Scripts on the server: by their digest, and whole where the server has not seen them yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError

from switchover.flags.redis_connection import send

# TIME before a write is allowed since scripts are replicated by their effects (5.0). The entry comes first: when it is
# refused (no memory, ids ahead), nothing was written.
WRITE: Final = """
local set, changes, former = KEYS[1], KEYS[2], KEYS[3]
local have = redis.call('HMGET', set, 'version', 'lineage', 'mark', 'size')
if not have[1] and redis.call('EXISTS', set) == 1 then return {'broken', ''} end
if have[1] and not (string.match(have[1], '^[1-9]%d*$') and #have[1] < 16) then return {'broken', have[1]} end
local version, lineage, mark = have[1] or '0', have[2] or '', have[3] or ''
if version ~= ARGV[1] or lineage ~= ARGV[2] or (ARGV[3] ~= '' and mark ~= ARGV[3]) then
  return {'conflict', version, lineage}
end
local size = tonumber(have[4] or '')
if not size then
  size = 0
  if have[1] then for _, text in ipairs(redis.call('HVALS', set)) do size = size + #text end end
end
local before, aside = {}, ''
for i = 12, #ARGV, 2 do
  local old = redis.call('HGET', set, ARGV[i]) or ''
  size = size - #old + #ARGV[i + 1]
  before[#before + 1] = (string.gsub(old, '[\\r\\n]', ' '))
end
if size > tonumber(ARGV[7]) then return {'big', string.format('%.0f', size)} end
local following = string.format('%.0f', tonumber(version) + 1)
if version == '0' then
  lineage = ARGV[4]
  if redis.call('EXISTS', changes) == 1 then
    redis.call('RENAME', changes, former)
    aside = former
  end
end
local now = redis.call('TIME')
local at = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
local lines = table.concat(before, '\\n')
local function add()
  return redis.pcall('XADD', changes, 'MAXLEN', '~', ARGV[6], following .. '-0', 'lineage', lineage, 'mark', ARGV[5],
    'previous', mark, 'at', at, 'who', ARGV[8], 'why', ARGV[9], 'action', ARGV[10], 'edits', ARGV[11], 'before', lines)
end
local added = add()
if type(added) == 'table' and added.err and string.find(added.err, 'equal or smaller', 1, true) then
  redis.call('RENAME', changes, former)
  aside = former
  added = add()
end
if type(added) == 'table' and added.err then return added end
for i = 12, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', set, ARGV[i]) else redis.call('HSET', set, ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', set, 'version', following, 'lineage', lineage, 'mark', ARGV[5], 'size', string.format('%.0f', size))
return {'ok', following, lineage, at, lines, aside}
"""

ACKNOWLEDGE: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', at), ARGV[1])
local before = string.format('(%.0f', at - tonumber(ARGV[3]))
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[1], unpack(gone))
end
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[3])
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[3])
return #gone
"""


@cache
def digest(script: str) -> str:
    """The name by which a server knows a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def run_script(connection: redis.Redis, script: str, keys: Sequence[str], words: Sequence[str]) -> Any:
    """Run it and return its answer. A server that was restarted, or is another one now, gets it anew."""
    try:
        return send(connection, "EVALSHA", digest(script), len(keys), *keys, *words)
    except NoScriptError:
        return send(connection, "EVAL", script, len(keys), *keys, *words)
