-- Q3 aggregation-honest: Is every aggregate what the rule makes of the accepted updates?
-- asked by: EU AI Act, partner, researcher
-- grade: PROVEN
-- rows: facts
-- proof: replay
-- param task INTEGER = NULL: only this task
WITH counted AS (
    SELECT round_id, count(*) FILTER (WHERE outcome = 'accepted') AS accepted FROM contributions GROUP BY round_id
)
SELECT a.task, a.round, a.phase, a.rule, a.included AS declared, c.accepted,
    coalesce(v.verdict, 'not replayed') AS replay, v.at AS replayed_at,
    iif(v.verdict IN ('pass', 'fail'), 'PROVEN', 'MISSING') AS grade,
    (coalesce(v.verdict, '') = 'fail' AND a.phase <> 'voided') OR coalesce(c.accepted <> a.included, 0) AS finding,
    a.round_id, a.block, a.tx
FROM aggregates a LEFT JOIN counted c USING (round_id) LEFT JOIN replays v USING (proposal_hash)
WHERE (:task IS NULL OR task = :task)
ORDER BY a.task, a.round;
