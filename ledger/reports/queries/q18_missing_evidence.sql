-- Q18 missing-evidence: Which blobs that the chain names are not here?
-- asked by: 21 CFR Part 11, partner
-- grade: PROVEN
-- rows: findings
-- proof: blob
-- param task INTEGER = NULL: only this task
SELECT b.task, max(b.round) AS round, b.kind, b.client, b.cid, coalesce(f.status, 'never fetched') AS status,
    max(b.round_id) AS round_id, max(b.block) AS block, b.tx
FROM blobs b LEFT JOIN artifact f USING (cid)
WHERE coalesce(f.status, '') <> 'ok' AND (:task IS NULL OR task = :task)
GROUP BY b.cid ORDER BY b.task, round, b.kind, b.client;
-- gap: manifests that are not in the index
SELECT count(*) FROM blobs m WHERE m.kind = 'manifest' AND (:task IS NULL OR task = :task)
    AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.round_id = m.round_id AND b.kind = 'base');
