-- Customers due from low up to high (excluded), about `most` of them; ties at the end are taken whole.
-- KEYS: claim, position, due   ARGV: claim, position, low, high, most
-- Returns false if claim or position are others, else {up to where this is all, id, due, id, due, ...}.
local held = redis.call('MGET', KEYS[1], KEYS[2])
if held[1] ~= ARGV[1] or (held[2] or '') ~= ARGV[2] then
  return false
end
local most = tonumber(ARGV[5])
local found = redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[3], '(' .. ARGV[4], 'WITHSCORES', 'LIMIT', 0, most)
local high = ARGV[4]
if #found == 2 * most then
  local last = found[#found]
  while #found > 0 and found[#found] == last do
    table.remove(found)
    table.remove(found)
  end
  for _, value in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], last, last, 'WITHSCORES')) do
    found[#found + 1] = value
  end
  high = string.format('%d', tonumber(last) + 1)
end
table.insert(found, 1, high)
return found
