-- Q25 retention-erasure: What is kept beyond its time, and which names were erased?
-- asked by: GDPR, HIPAA, 21 CFR Part 11
-- grade: CLAIMED
-- rows: facts
-- proof: none
-- param on TEXT = 'now': day of the question, as SQLite reads dates
SELECT 'blob' AS what, cid AS subject, kind, retain_until, NULL AS erased_at, 1 AS finding
FROM artifact WHERE retain_until < date(:on)
UNION ALL
SELECT 'name', client, role, NULL, erased_at, 0 FROM members WHERE erased_at IS NOT NULL
ORDER BY what, subject;
