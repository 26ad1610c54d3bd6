-- Take a partition: set its one claim and say where it stands.
-- KEYS: claim, position, ledger, outbox   ARGV: claim
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('MGET', KEYS[2], KEYS[3], KEYS[4])
