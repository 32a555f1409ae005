-- Q23 reorgs: What did the chain take back, and was it final?
-- asked by: chain engineer, 21 CFR Part 11
-- grade: PROVEN
-- rows: findings
-- proof: index
SELECT r.id AS reorg, r.detected_at, r.fork_number, r.depth, r.past_final, e.name AS event, e.task, e.round_id,
    e.number AS block, e.tx
FROM reorg r LEFT JOIN event e ON e.orphaned_by = r.id
ORDER BY r.id, e.id;
