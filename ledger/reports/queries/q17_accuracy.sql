-- Q17 accuracy: How good was the model after each round, by whose word?
-- asked by: EU AI Act, 21 CFR Part 11
-- grade: ATTESTED
-- rows: facts
-- proof: log, signoff
-- param task INTEGER = NULL: only this task
SELECT task, round, split, metric, value,
    value - lag(value) OVER (PARTITION BY task, split, metric ORDER BY round, signed_at) AS change, evaluator,
    datetime(signed_at, 'unixepoch') AS signed_at, iif(valid, 'ATTESTED', 'CLAIMED') AS grade,
    NOT valid AS finding, signer, digest, round_id, block, log, tx
FROM evals WHERE (:task IS NULL OR task = :task)
ORDER BY task, split, metric, round;
-- gap: finalised rounds without a signed evaluation
SELECT count(*) FROM rounds r WHERE phase = 'finalised' AND (:task IS NULL OR task = :task)
    AND NOT EXISTS (SELECT 1 FROM evals e WHERE e.round_id = r.round_id AND e.valid);
