-- Q20 membership: Who joined, changed keys and left, and when?
-- asked by: GDPR, HIPAA, partner
-- grade: PROVEN
-- rows: facts
-- proof: log
WITH acts AS (
    SELECT ev, client, action, role, owner, signer, key_epoch, ts, block, log, tx FROM clients
    UNION ALL
    SELECT ev, client, 'encryption key', NULL, NULL, key, epoch, ts, block, log, tx FROM encryption_keys
)
SELECT client, action, role, owner, signer, key_epoch, datetime(ts, 'unixepoch') AS at, block, log, tx
FROM acts ORDER BY ev;
