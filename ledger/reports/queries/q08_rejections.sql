-- Q8 rejections: Whose updates were rejected, and why?
-- asked by: partner, researcher
-- grade: PROVEN
-- rows: facts
-- proof: replay
-- attested: objection
-- param task INTEGER = NULL: only this task
SELECT u.task, u.round, u.phase, u.client, u.reason,
    CASE u.reason WHEN 'FT730' THEN 'zeros' WHEN 'FT731' THEN 'stale' WHEN 'FT732' THEN 'duplicate'
        WHEN 'FT733' THEN 'norm' WHEN 'FT734' THEN 'faint' WHEN 'FT735' THEN 'distance' WHEN 'FT801' THEN 'absence'
        ELSE 'bytes' END AS test,
    (SELECT count(*) FROM contests c WHERE c.round_id = u.round_id AND c.client = u.client) AS contested,
    (SELECT c.cid FROM contests c WHERE c.round_id = u.round_id AND c.client = u.client ORDER BY c.ev DESC LIMIT 1)
        AS objection,
    u.round_id, u.block, u.tx
FROM updates u WHERE u.stage = 'rejected' AND (:task IS NULL OR u.task = :task)
ORDER BY u.task, u.round, u.client;
