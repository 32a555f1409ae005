-- Q15 slashes-with-cause: Who was slashed, how much, and what proved it?
-- asked by: partner, chain engineer
-- grade: PROVEN
-- rows: facts
-- proof: log
-- param task INTEGER = NULL: only this task
WITH cause AS (
    SELECT s.ev, (SELECT d.ev FROM disputes d
            WHERE d.round_id = s.round_id AND d.phase IN ('proven', 'voided', 'demanded')
                AND (d.subject = s.client OR (d.subject = 0 AND s.reason = 'voided round'))
            ORDER BY d.phase = 'proven' DESC, d.phase = 'voided' DESC, d.ev DESC LIMIT 1) AS because,
        (SELECT b.action FROM board b WHERE b.round_id = s.round_id AND b.attestor = s.client LIMIT 1) AS action
    FROM stakes s WHERE s.kind = 'slash'
)
SELECT s.client, r.task, r.round, s.wei AS lost_wei, s.to_challenger_wei, s.to_clients_wei, s.burnt_wei, s.reason,
    coalesce(d.reason, c.action, iif(s.reason = 'no proposal', s.reason, NULL)) AS cause, d.account AS challenger,
    d.proof_hash, d.tx AS proof_tx,
    coalesce(d.reason, c.action, iif(s.reason = 'no proposal', s.reason, NULL)) IS NULL AS finding,
    s.round_id, s.block, s.log, s.tx
FROM stakes s JOIN cause c USING (ev) LEFT JOIN disputes d ON d.ev = c.because
LEFT JOIN rounds r ON r.round_id = s.round_id
WHERE (:task IS NULL OR r.task = :task)
ORDER BY s.block, s.client;
