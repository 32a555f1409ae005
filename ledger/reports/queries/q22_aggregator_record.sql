-- Q22 aggregator-record: What is each aggregator's record?
-- asked by: partner
-- grade: PROVEN
-- rows: facts
-- proof: event
-- param task INTEGER = NULL: only this task
SELECT r.aggregator, count(*) AS opened, count(a.ev) AS proposed,
    count(*) FILTER (WHERE r.phase = 'finalised') AS finalised,
    count(*) FILTER (WHERE r.phase = 'abandoned') AS abandoned, count(*) FILTER (WHERE r.phase = 'expired') AS expired,
    count(*) FILTER (WHERE r.phase = 'voided') AS voided, count(*) FILTER (WHERE v.verdict = 'fail') AS failed_replays,
    count(*) FILTER (WHERE r.phase IN ('expired', 'voided') OR v.verdict = 'fail') > 0 AS finding,
    max(r.block) AS block, r.log, r.tx
FROM rounds r LEFT JOIN aggregates a USING (round_id) LEFT JOIN replays v USING (proposal_hash)
WHERE :task IS NULL OR r.task = :task
GROUP BY r.aggregator ORDER BY r.aggregator;
