-- Q2 contribution-summary: How much did each client contribute in all?
-- asked by: EU AI Act, partner
-- grade: ATTESTED
-- rows: facts
-- proof: event
-- param task INTEGER = NULL: only this task
SELECT client, count(*) AS committed,
    count(*) FILTER (WHERE outcome = 'accepted' AND phase = 'finalised') AS accepted,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
    count(*) FILTER (WHERE outcome = 'accepted' AND phase = 'voided') AS struck,
    sum(n_samples) FILTER (WHERE outcome = 'accepted' AND phase = 'finalised') AS samples, max(block) AS block, log, tx
FROM contributions WHERE (:task IS NULL OR task = :task)
GROUP BY client ORDER BY client;
-- gap: accepted updates whose number of samples is not in the index
SELECT count(*) FROM contributions WHERE outcome = 'accepted' AND n_samples IS NULL AND (:task IS NULL OR task = :task);
