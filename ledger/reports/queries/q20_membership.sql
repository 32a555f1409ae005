-- Q20 membership: Who joined, changed keys and left, and when?
-- asked by: GDPR, HIPAA, partner
-- grade: PROVEN
-- rows: facts
-- proof: log
SELECT client, action, role, owner, signer, key_epoch, datetime(ts, 'unixepoch') AS at, block, log, tx
FROM clients ORDER BY ev;
