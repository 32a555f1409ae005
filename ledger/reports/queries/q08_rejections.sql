-- Q8 rejections: Whose updates were rejected, and why?
-- asked by: partner, researcher
-- grade: PROVEN
-- rows: facts
-- proof: replay
-- param task INTEGER = NULL: only this task
SELECT task, round, phase, client, reason, round_id, block, tx
FROM updates WHERE stage = 'rejected' AND (:task IS NULL OR task = :task)
ORDER BY task, round, client;
