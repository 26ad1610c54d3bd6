-- One atomic step. Everything is checked before the first write: Redis keeps what a failing script wrote.
-- KEYS: claim, position, ledger, outbox, due, then a state per customer
-- ARGV: claim, base, position, ledger, outbox, then per customer: state, due time, id
-- Returns 1, or 0 if claim or position are others.
local held = redis.call('MGET', KEYS[1], KEYS[2])
if held[1] ~= ARGV[1] or (held[2] or '') ~= ARGV[2] then
  return 0
end
local customers = #KEYS - 5
if #ARGV ~= 5 + 3 * customers then
  return redis.error_reply('apply: expected three arguments per customer')
end
local states, due = {}, {}
for number = 1, customers do
  local at = 3 + 3 * number
  if not tonumber(ARGV[at + 1]) then
    return redis.error_reply('apply: expected a number as due time')
  end
  states[2 * number - 1] = KEYS[5 + number]
  states[2 * number] = ARGV[at]
  due[2 * number - 1] = ARGV[at + 1]
  due[2 * number] = ARGV[at + 2]
end
redis.call('MSET', KEYS[2], ARGV[3], KEYS[3], ARGV[4], KEYS[4], ARGV[5])
if customers > 0 then
  redis.call('MSET', unpack(states))
  redis.call('ZADD', KEYS[5], unpack(due))
end
return 1
