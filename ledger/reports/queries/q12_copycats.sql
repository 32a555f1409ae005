-- Q12 copycats: Did several clients submit the same update?
-- asked by: researcher, partner
-- grade: PROVEN
-- rows: findings
-- proof: replay
-- param task INTEGER = NULL: only this task
SELECT task, round, digest, group_concat(client, ', ') AS clients, count(*) AS copies, round_id, max(block) AS block, tx
FROM contributions WHERE outcome = 'accepted' AND digest IS NOT NULL AND (:task IS NULL OR task = :task)
GROUP BY round_id, digest HAVING count(*) > 1
ORDER BY task, round;
-- gap: accepted updates whose bytes are not in the index
SELECT count(*) FROM contributions WHERE outcome = 'accepted' AND digest IS NULL AND (:task IS NULL OR task = :task);
