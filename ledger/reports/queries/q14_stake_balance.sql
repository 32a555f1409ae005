-- Q14 stake-balance: What has everybody at stake, and how much of it do tasks hold?
-- asked by: partner, chain engineer
-- grade: PROVEN
-- rows: facts
-- proof: log
SELECT b.client, m.role, b.wei AS stake_wei, b.locked_wei, b.block, b.log, b.tx
FROM balances b JOIN members m USING (client)
ORDER BY b.client;
