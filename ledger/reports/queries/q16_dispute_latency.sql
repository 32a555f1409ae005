-- Q16 dispute-latency: How long did disputes take?
-- asked by: partner
-- grade: PROVEN
-- rows: facts
-- proof: log
-- param task INTEGER = NULL: only this task
SELECT d.dispute, d.kind, max(d.task) AS task, max(d.round) AS round, max(d.subject) AS subject,
    max(d.reason) AS reason, datetime(min(d.ts), 'unixepoch') AS opened, min(d.ts) - max(a.ts) AS seconds_to_open,
    max(d.ts) FILTER (WHERE d.phase IN ('settled', 'closed', 'answered', 'withheld', 'moot')) - min(d.ts) AS seconds,
    (SELECT l.phase FROM disputes l WHERE l.dispute = d.dispute ORDER BY l.ev DESC LIMIT 1) AS state,
    max(d.round_id) AS round_id, min(d.block) AS block, d.log, d.tx
FROM disputes d LEFT JOIN aggregates a ON a.round_id = d.round_id
WHERE d.kind IN ('proof', 'game', 'session', 'demand')
GROUP BY d.dispute HAVING :task IS NULL OR max(d.task) = :task
ORDER BY min(d.ev);
