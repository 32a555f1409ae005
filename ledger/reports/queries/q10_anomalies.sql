-- Q10 anomalies: Which updates had an anomaly score above a threshold?
-- asked by: researcher, partner
-- grade: ATTESTED
-- rows: findings
-- proof: index
-- param task INTEGER = NULL: only this task
-- param threshold REAL = 3.0: scores above it
WITH trend AS (
    SELECT task, round, client, value,
        avg(value) OVER (PARTITION BY task, client, scorer ORDER BY round ROWS 4 PRECEDING) AS trend,
        scorer, method, round_id, block, log, tx
    FROM scores WHERE kind = 'anomaly'
)
SELECT * FROM trend WHERE value > :threshold AND (:task IS NULL OR task = :task) ORDER BY task, round, client, scorer;
-- gap: rounds without an anomaly score
SELECT count(*) FROM rounds r WHERE phase = 'finalised' AND (:task IS NULL OR task = :task)
    AND NOT EXISTS (SELECT 1 FROM scores s WHERE s.round_id = r.round_id AND s.kind = 'anomaly');
