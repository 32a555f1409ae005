-- Q7 broken-lineage: Did a round start from another model than the last one ended with?
-- asked by: EU AI Act, researcher
-- grade: PROVEN
-- rows: findings
-- proof: event
-- param task INTEGER = NULL: only this task
WITH expected AS (
    SELECT r.task, r.round, r.base_model AS got, coalesce((SELECT p.model_root FROM phases p
            WHERE p.phase = 'finalised' AND p.task = r.task AND p.round < r.round ORDER BY p.round DESC LIMIT 1),
            t.genesis_model) AS want, r.round_id, r.block, r.log, r.tx
    FROM rounds r JOIN tasks t USING (task)
)
SELECT * FROM expected WHERE got <> want AND (:task IS NULL OR task = :task) ORDER BY task, round;
