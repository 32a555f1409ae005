-- Q4 completeness: Do the events add up to what the contract counted?
-- asked by: 21 CFR Part 11, partner
-- grade: PROVEN
-- rows: findings
-- proof: index
-- param task INTEGER = NULL: only this task
WITH sight AS (
    SELECT round_id, count(*) AS seen FROM commitments GROUP BY round_id
), told AS (
    SELECT round_id, max(coalesce(first, 0) + count) AS counted, max(kind = 'list') AS is_list
    FROM segments GROUP BY round_id
), counted AS (
    SELECT r.task, r.round, r.phase, r.round_id, a.committed IS NOT NULL AS exact,
        coalesce(a.committed, t.counted, 0) AS counted, coalesce(s.seen, 0) AS seen, coalesce(t.is_list, 0) AS is_list,
        coalesce(a.block, r.block) AS block, coalesce(a.tx, r.tx) AS tx
    FROM rounds r LEFT JOIN aggregates a USING (round_id) LEFT JOIN sight s USING (round_id)
    LEFT JOIN told t USING (round_id)
)
SELECT task, round, phase, counted, seen,
    iif(is_list AND seen = 0, 'the signed list is not in the index', 'events are missing') AS why,
    iif(is_list AND seen = 0, 'MISSING', 'PROVEN') AS grade, round_id, block, tx
FROM counted WHERE (counted > seen OR (exact AND counted <> seen)) AND (:task IS NULL OR task = :task)
ORDER BY task, round;
