-- Q11 influence: Which clients moved the model most?
-- asked by: partner, researcher
-- grade: ATTESTED
-- rows: facts
-- proof: index
-- param task INTEGER = NULL: only this task
SELECT client, avg(value) AS influence, rank() OVER (PARTITION BY scorer, method ORDER BY avg(value) DESC) AS rank,
    count(*) AS rounds, scorer, method, max(block) AS block, log, tx
FROM scores WHERE kind = 'influence' AND (:task IS NULL OR task = :task)
GROUP BY scorer, method, client ORDER BY scorer, method, rank, client;
-- gap: rounds without an influence score
SELECT count(*) FROM rounds r WHERE phase = 'finalised' AND (:task IS NULL OR task = :task)
    AND NOT EXISTS (SELECT 1 FROM scores s WHERE s.round_id = r.round_id AND s.kind = 'influence');
