-- Q6 lineage: Through which rounds did a model come to be?
-- asked by: EU AI Act, 21 CFR Part 11
-- grade: PROVEN
-- rows: facts
-- proof: event
-- param task INTEGER = NULL: only this task
-- param model TEXT = NULL: root of the model; default: the latest of every task
WITH RECURSIVE step AS MATERIALIZED (
    SELECT r.task, r.round, r.base_model, p.model_root, p.head, r.round_id, p.block, p.log, p.tx
    FROM rounds r JOIN phases p ON p.round_id = r.round_id AND p.phase = 'finalised'
), line AS (
    SELECT 0 AS depth, s.* FROM step s
    WHERE (:task IS NULL OR task = :task)
        AND iif(:model IS NULL, round = (SELECT max(x.round) FROM step x WHERE x.task = s.task), model_root = :model)
    UNION ALL
    SELECT l.depth + 1, s.* FROM line l JOIN step s ON s.task = l.task AND s.round =
        (SELECT max(x.round) FROM step x WHERE x.task = l.task AND x.round < l.round AND x.model_root = l.base_model)
)
SELECT l.task, l.round, l.depth, l.model_root, l.base_model,
    iif(l.base_model = t.genesis_model, 'genesis', 'an earlier round') AS starts_from, l.head, l.round_id, l.block,
    l.log, l.tx
FROM line l JOIN tasks t USING (task)
ORDER BY l.task, l.depth;
