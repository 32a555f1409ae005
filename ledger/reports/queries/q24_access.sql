-- Q24 access: Who looked at what with this index?
-- asked by: HIPAA, GDPR
-- grade: CLAIMED
-- rows: facts
-- proof: none
-- param since TEXT = '1970-01-01': first day
SELECT who, action, target, outcome, count(*) AS times, max(at) AS last
FROM access_log WHERE at >= :since
GROUP BY who, action, target, outcome ORDER BY last DESC, who;
