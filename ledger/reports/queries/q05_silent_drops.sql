-- Q5 silent-drops: Whose commitment came to nothing without a fault of its bytes?
-- asked by: partner, researcher
-- grade: PROVEN
-- rows: findings
-- proof: event
-- param task INTEGER = NULL: only this task
SELECT c.task, c.round, c.phase, c.client,
    CASE WHEN c.outcome = 'dropped' THEN 'the round ended without a proposal'
        WHEN c.cid IS NOT NULL THEN 'published, left out as unavailable'
        WHEN b.cid IS NOT NULL THEN 'never published'
        ELSE 'left out as unavailable; the manifest is not in the index' END AS why,
    iif(c.outcome = 'dropped' OR b.cid IS NOT NULL, 'PROVEN', 'MISSING') AS grade, c.round_id, c.block, c.log, c.tx
FROM contributions c LEFT JOIN x_blob b ON b.ev = c.outcome_ev AND b.kind = 'base'
WHERE (c.outcome = 'dropped' OR (c.outcome = 'rejected' AND c.reason = 'FT801')) AND (:task IS NULL OR task = :task)
ORDER BY c.task, c.round, c.client;
