/* What Redis does by itself for documents and announcements. Versions are compared as decimal texts, since Lua's
 * numbers are doubles. */
#ifndef NOF0_CACHE_DOCUMENTS_SCRIPTS_H
#define NOF0_CACHE_DOCUMENTS_SCRIPTS_H

#define SCRIPT_VERSIONS                                                                                                \
    "local function older(a, b) return #a < #b or (#a == #b and a < b) end\n"                                          \
    "local function version_at(key)\n" /* "0" for a foreign value */                                                   \
    "  local v = redis.pcall('GET', key)\n"                                                                            \
    "  return type(v) == 'string' and #v < 20 and string.match(v, '^%d+$') or '0'\n"                                   \
    "end\n"                                                                                                            \
    "local function document_version(key)\n" /* nil for a foreign value */                                             \
    "  local head = redis.pcall('GETRANGE', key, 0, 25)\n"                                                             \
    "  local digits = type(head) == 'string' and string.match(head, '^nof0d1(%d+)$')\n"                                \
    "  return digits and (string.gsub(digits, '^0+(%d)', '%1')) or nil\n"                                              \
    "end\n"                                                                                                            \
    "local function keep_type(key, wanted)\n"                                                                          \
    "  local t = redis.call('TYPE', key)['ok']\n"                                                                      \
    "  if t ~= wanted and t ~= 'none' then redis.call('UNLINK', key) end\n"                                            \
    "end\n"

/* KEYS document, feed version, lock; ARGV token, ms of the lock (0: only look).
 * Returns {document or nil, its PTTL, feed version, lock: 0 free, 1 another's, 2 taken now}. */
#define SCRIPT_LOOK                                                                                                    \
    SCRIPT_VERSIONS                                                                                                    \
    "local v = redis.pcall('GET', KEYS[1])\n"                                                                          \
    "if type(v) ~= 'string' then\n"                                                                                    \
    "  if v then redis.call('UNLINK', KEYS[1]) end\n"                                                                  \
    "  v = false\n"                                                                                                    \
    "end\n"                                                                                                            \
    "local lock = 0\n"                                                                                                 \
    "if ARGV[2] ~= '0' then\n"                                                                                         \
    "  lock = redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[2]) and 2 or 1\n"                                   \
    "end\n"                                                                                                            \
    "return {v, redis.call('PTTL', KEYS[1]), version_at(KEYS[2]), lock}\n"

/* KEYS document, feed version, feed's documents; ARGV value, version, ms, most documents.
 * Returns 1 stored, -1 newer data is announced, -2 a newer document is stored, -3 full. */
#define SCRIPT_STORE                                                                                                   \
    SCRIPT_VERSIONS                                                                                                    \
    "if older(ARGV[2], version_at(KEYS[2])) then return -1 end\n"                                                      \
    "local stored = document_version(KEYS[1])\n"                                                                       \
    "if stored and older(ARGV[2], stored) then return -2 end\n"                                                        \
    "keep_type(KEYS[3], 'zset')\n"                                                                                     \
    "local time = redis.call('TIME')\n"                                                                                \
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"                                                        \
    "redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)\n"                                                           \
    "if not redis.call('ZSCORE', KEYS[3], KEYS[1]) and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[4]) then\n"       \
    "  return -3\n"                                                                                                    \
    "end\n"                                                                                                            \
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])\n"                                                             \
    "redis.call('ZADD', KEYS[3], now + ARGV[3], KEYS[1])\n"                                                            \
    "if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end\n"            \
    "return 1\n"

/* KEYS lock; ARGV token. */
#define SCRIPT_RELEASE                                                                                                 \
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end\n"                        \
    "return 0\n"

/* KEYS feed version, feed's documents; ARGV version, channel, feed. The documents' own keys have the feed's hash tag,
 * so they lie where these do. Returns the feed's version. ZREM comes first, whether there
 * is anything to remove or not: Redis refuses a SET when it is full, but not in a script that has written already, and
 * a change must be announced also then. Were it refused all the same, instances would still hear of the change, and the
 * writer be told with an error. */
#define SCRIPT_ANNOUNCE                                                                                                \
    SCRIPT_VERSIONS                                                                                                    \
    "local version = version_at(KEYS[1])\n"                                                                            \
    "if older(version, ARGV[1]) then version = ARGV[1] end\n"                                                          \
    "keep_type(KEYS[2], 'zset')\n"                                                                                     \
    "redis.call('ZREM', KEYS[2], '')\n"                                                                                \
    "for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do\n"                                                  \
    "  local has = document_version(key)\n"                                                                            \
    "  if not has or older(has, version) then\n"                                                                       \
    "    redis.call('UNLINK', key)\n"                                                                                  \
    "    redis.call('ZREM', KEYS[2], key)\n"                                                                           \
    "  end\n"                                                                                                          \
    "end\n"                                                                                                            \
    "local raised = redis.pcall('SET', KEYS[1], version)\n"                                                            \
    "redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. version)\n"                                                      \
    "return raised['err'] and raised or version\n"

#endif
