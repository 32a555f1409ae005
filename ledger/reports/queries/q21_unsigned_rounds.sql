-- Q21 unsigned-rounds: Which finalised rounds has nobody signed off?
-- asked by: EU AI Act, 21 CFR Part 11
-- grade: PROVEN
-- rows: findings
-- proof: signoff
-- param task INTEGER = NULL: only this task
-- param role TEXT = 'reviewer': capacity in which somebody must have signed
SELECT p.task, p.round, p.head AS record, datetime(p.ts, 'unixepoch') AS finalised_at, p.round_id, p.block, p.tx
FROM phases p
WHERE p.phase = 'finalised' AND (:task IS NULL OR task = :task) AND NOT EXISTS (SELECT 1 FROM signoffs s
    WHERE s.round_id = p.round_id AND s.record = p.head AND s.role = :role AND s.valid)
ORDER BY p.task, p.round;
