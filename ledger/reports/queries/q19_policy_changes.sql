-- Q19 policy-changes: Under which rules did training run, and who changed what when?
-- asked by: EU AI Act, 21 CFR Part 11
-- grade: PROVEN
-- rows: facts
-- proof: event
-- param task INTEGER = NULL: only this task
SELECT * FROM (
    SELECT task, 'task created' AS what, rule || iif(rule_param, '(' || rule_param || ')', '') AS rule, mode, quorum,
        params_hash, script_digest, actor, datetime(ts, 'unixepoch') AS at, block, log, tx FROM tasks
    UNION ALL
    SELECT task, action, NULL, NULL, NULL, NULL, NULL, actor, datetime(ts, 'unixepoch'), block, log, tx FROM governance
    UNION ALL
    SELECT NULL, 'committee ' || epoch || ' named', NULL, NULL, threshold, NULL, NULL, NULL, datetime(ts, 'unixepoch'),
        block, log, tx FROM board WHERE action = 'named' GROUP BY epoch
) WHERE :task IS NULL OR task IS NULL OR task = :task
ORDER BY block;
