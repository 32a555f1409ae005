-- Q9 late-commits: Was a commitment accepted after its deadline?
-- asked by: partner
-- grade: PROVEN
-- rows: findings
-- proof: event
-- param task INTEGER = NULL: only this task
WITH due AS (
    SELECT u.task, u.round, u.client, u.ts - (r.commit_end + coalesce((SELECT sum(g.seconds) FROM governance g
            WHERE g.round_id = u.round_id AND g.action = 'resumed' AND g.ts <= u.ts), 0)) AS late_seconds,
        u.round_id, u.block, u.log, u.tx
    FROM updates u JOIN rounds r USING (round_id) WHERE u.stage = 'committed'
)
SELECT * FROM due WHERE late_seconds > 0 AND (:task IS NULL OR task = :task) ORDER BY task, round, client;
