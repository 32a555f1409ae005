-- Q1 who-contributed: Who contributed to which round, and what became of it?
-- asked by: EU AI Act, partner
-- grade: PROVEN
-- rows: facts
-- proof: event
-- attested: n_samples
-- param task INTEGER = NULL: only this task
SELECT task, round, phase, client, outcome, reason, n_samples, commitment, cid, round_id, block, log, tx
FROM contributions WHERE (:task IS NULL OR task = :task)
ORDER BY task, round, client;
