-- Q13 privacy-budget: Which clients have spent more privacy than their budget?
-- asked by: GDPR, HIPAA
-- grade: ATTESTED
-- rows: findings
-- proof: index
-- param task INTEGER = NULL: only this task
-- param budget REAL = 8.0: epsilon that a client may spend in a task, as its speakers add it up
SELECT task, client,
    -- Statements are cumulative: the largest one counts; SQLite takes the other columns from its row.
    max(eps) AS eps, delta, mechanism, speaker, round AS up_to, block, log, tx
FROM privacy_spend WHERE (:task IS NULL OR task = :task)
GROUP BY task, client, mechanism, speaker HAVING max(eps) > :budget
ORDER BY task, client, mechanism, speaker;
-- gap: rounds without a recorded privacy loss
SELECT count(*) FROM rounds r WHERE phase = 'finalised' AND (:task IS NULL OR task = :task)
    AND NOT EXISTS (SELECT 1 FROM privacy_spend s WHERE s.round_id = r.round_id);
