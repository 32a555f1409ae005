-- What the events say, as tables that people can ask. Runs on top of ledger.sql, whose event and block it refers to.
--
-- Every x_ row points at its event by `ev`, so that a reorganisation takes it away with the event: the views below
-- show canonical events of the latest epoch only. Ids are the ledger's numbers, digests and addresses 0x hex in lower
-- case, amounts decimal text in wei and, for sums, an integer in gwei (rounded down; sums of wei overflow 64 bits).

CREATE TABLE x_client(ev INT NOT NULL, client INT NOT NULL, action TEXT NOT NULL, role TEXT, owner TEXT, signer TEXT,
    key_epoch INT, since INT) STRICT;
CREATE TABLE x_task(ev INT NOT NULL, task INT NOT NULL, params_hash TEXT NOT NULL, rule TEXT NOT NULL,
    rule_param INT NOT NULL, rule_select INT NOT NULL, size INT NOT NULL, scale_bits INT NOT NULL, bound INT NOT NULL,
    examples_cap INT NOT NULL, mode TEXT NOT NULL, wei_per_weight TEXT NOT NULL, commit_seconds INT NOT NULL,
    data_seconds INT NOT NULL, propose_seconds INT NOT NULL, challenge_seconds INT NOT NULL, max_clients INT NOT NULL,
    quorum INT NOT NULL, bond_wei TEXT NOT NULL, bond_gwei INT NOT NULL, board TEXT, genesis_model TEXT NOT NULL,
    layout_digest TEXT NOT NULL, script_digest TEXT NOT NULL) STRICT;
CREATE TABLE x_round(ev INT NOT NULL, round_id INT NOT NULL, task INT NOT NULL, round INT NOT NULL,
    aggregator INT NOT NULL, base_model TEXT NOT NULL, opened_at INT NOT NULL, commit_end INT NOT NULL,
    data_end INT NOT NULL, propose_end INT NOT NULL) STRICT;
CREATE TABLE x_phase(ev INT NOT NULL, round_id INT NOT NULL, phase TEXT NOT NULL, ends_at INT, model_root TEXT,
    head TEXT, reason TEXT, account TEXT) STRICT;
CREATE TABLE x_segment(ev INT NOT NULL, round_id INT NOT NULL, kind TEXT NOT NULL, root TEXT, first INT, count INT,
    list_cid TEXT) STRICT;
CREATE TABLE x_update(ev INT NOT NULL, round_id INT NOT NULL, client INT NOT NULL, stage TEXT NOT NULL,
    commitment TEXT, cid TEXT, n_samples INT, digest TEXT, reason TEXT) STRICT;
CREATE TABLE x_aggregate(ev INT NOT NULL, round_id INT NOT NULL, aggregator INT NOT NULL, proposal_hash TEXT NOT NULL,
    aggregate_root TEXT NOT NULL, matrix_root TEXT NOT NULL, model_root TEXT NOT NULL, members_root TEXT NOT NULL,
    manifest_cid TEXT NOT NULL, committed INT NOT NULL, included INT NOT NULL, challenge_end INT NOT NULL) STRICT;
CREATE TABLE x_blob(ev INT NOT NULL, round_id INT NOT NULL, kind TEXT NOT NULL, cid TEXT NOT NULL) STRICT;
CREATE TABLE x_stake(ev INT NOT NULL, client INT, account TEXT, kind TEXT NOT NULL, wei TEXT NOT NULL,
    gwei INT NOT NULL, round_id INT, task INT, reason TEXT, to_challenger_wei TEXT, to_clients_wei TEXT,
    burnt_wei TEXT) STRICT;
CREATE TABLE x_dispute(ev INT NOT NULL, dispute TEXT NOT NULL, kind TEXT NOT NULL, phase TEXT NOT NULL, round_id INT,
    subject INT, account TEXT, reason TEXT, coordinate INT, claimed TEXT, recomputed TEXT, proof_hash TEXT, wei TEXT,
    gwei INT) STRICT;
CREATE TABLE x_board(ev INT NOT NULL, action TEXT NOT NULL, round_id INT, epoch INT, attestor INT, signers INT,
    threshold INT, since INT, account TEXT) STRICT;
CREATE TABLE x_governance(ev INT NOT NULL, action TEXT NOT NULL, task INT, round_id INT, seconds INT, account TEXT,
    operation TEXT) STRICT;
-- Stated by participants: who said so is a column. What was spent is cumulative, from the task's first round on.
CREATE TABLE x_score(ev INT NOT NULL, round_id INT NOT NULL, client INT NOT NULL, kind TEXT NOT NULL,
    value REAL NOT NULL, scorer INT NOT NULL, method TEXT NOT NULL) STRICT;
CREATE TABLE x_privacy(ev INT NOT NULL, round_id INT NOT NULL, client INT NOT NULL, eps REAL NOT NULL,
    delta REAL NOT NULL, mechanism TEXT NOT NULL, speaker INT NOT NULL) STRICT;
CREATE TABLE x_contest(ev INT NOT NULL, round_id INT NOT NULL, client INT NOT NULL, statement TEXT NOT NULL,
    cid TEXT NOT NULL) STRICT;
CREATE TABLE x_encryption_key(ev INT NOT NULL, client INT NOT NULL, epoch INT NOT NULL, key TEXT NOT NULL,
    since INT NOT NULL) STRICT;
CREATE TABLE x_reward(ev INT NOT NULL, pool INT, action TEXT NOT NULL, task INT, round_id INT, client INT, account TEXT,
    rate_wei TEXT, cap_wei TEXT, until INT, wei TEXT, gwei INT) STRICT;
-- Signed here, by people; on no chain. The same statements are files, from which this table can be filled again.
-- `valid` is NULL here; fedtrail checks every signature when it reads, and says 1 or 0.
CREATE TABLE signoff(digest TEXT PRIMARY KEY, chain_id INT NOT NULL, contract TEXT NOT NULL, task INT NOT NULL,
    round_id INT NOT NULL, record TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, meaning TEXT NOT NULL,
    metrics TEXT NOT NULL, signed_at INT NOT NULL, signer TEXT NOT NULL, signature TEXT NOT NULL, valid INT) STRICT;

CREATE INDEX x_client_ev ON x_client(ev);
CREATE INDEX x_client_client ON x_client(client);
CREATE INDEX x_task_ev ON x_task(ev);
CREATE INDEX x_round_ev ON x_round(ev);
CREATE INDEX x_round_id ON x_round(round_id);
CREATE INDEX x_phase_ev ON x_phase(ev);
CREATE INDEX x_phase_round ON x_phase(round_id);
CREATE INDEX x_segment_ev ON x_segment(ev);
CREATE INDEX x_segment_round ON x_segment(round_id);
CREATE INDEX x_update_ev ON x_update(ev);
CREATE INDEX x_update_round ON x_update(round_id, client, stage);
CREATE INDEX x_aggregate_ev ON x_aggregate(ev);
CREATE INDEX x_aggregate_round ON x_aggregate(round_id);
CREATE INDEX x_blob_ev ON x_blob(ev);
CREATE INDEX x_stake_ev ON x_stake(ev);
CREATE INDEX x_stake_client ON x_stake(client);
CREATE INDEX x_dispute_ev ON x_dispute(ev);
CREATE INDEX x_dispute_dispute ON x_dispute(dispute);
CREATE INDEX x_board_ev ON x_board(ev);
CREATE INDEX x_governance_ev ON x_governance(ev);
CREATE INDEX x_governance_round ON x_governance(round_id);
CREATE INDEX x_score_ev ON x_score(ev);
CREATE INDEX x_privacy_ev ON x_privacy(ev);
CREATE INDEX x_contest_ev ON x_contest(ev);
CREATE INDEX x_contest_round ON x_contest(round_id, client);
CREATE INDEX x_encryption_key_ev ON x_encryption_key(ev);
CREATE INDEX x_reward_ev ON x_reward(ev);

-- Canonical events of the latest epoch with what proves them. The + keeps the planner from starting with an index on
-- the chain, which all events share: it is to come from the facts, by the number of their event.
CREATE VIEW facts AS
SELECT e.id AS ev, e.number AS block, e.log_index AS log, b.ts, b.finality, e.tx, e.actor, e.name
FROM event e JOIN block b ON b.chain = e.chain AND b.hash = e.block_hash
WHERE e.canon = 1 AND +e.chain = (SELECT max(chain) FROM chain);

-- Every change of an identity; members has one row an identity, as it is.
CREATE VIEW clients AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.actor, f.finality FROM x_client x JOIN facts f USING (ev);

CREATE VIEW members AS
SELECT r.client, r.role, k.signer, k.key_epoch, r.owner AS org, o.label, o.contact, o.erased_at,
    (SELECT c.action FROM clients c WHERE c.client = r.client ORDER BY c.ev DESC LIMIT 1) AS last_action,
    r.block, r.log, r.ts, r.tx
FROM clients r
JOIN clients k ON k.ev = (SELECT max(c.ev) FROM clients c WHERE c.client = r.client AND c.signer IS NOT NULL)
    AND k.client = r.client
LEFT JOIN org o ON o.org = r.owner
WHERE r.action = 'registered';

-- A task is what a run creates: rule and limits, for ever.
CREATE VIEW tasks AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.actor, f.finality FROM x_task x JOIN facts f USING (ev);

-- One row a round, with where it stands. A pause is the round's only while it is open.
CREATE VIEW rounds AS
SELECT x.*, coalesce(
        (SELECT p.phase FROM x_phase p JOIN facts USING (ev) WHERE p.round_id = x.round_id ORDER BY p.ev DESC LIMIT 1),
        (SELECT iif(g.action = 'paused', 'paused', 'open') FROM x_governance g JOIN facts USING (ev)
            WHERE g.round_id = x.round_id ORDER BY g.ev DESC LIMIT 1),
        'open') AS phase,
    f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_round x JOIN facts f USING (ev);

-- What a round went through, its opening included.
CREATE VIEW phases AS
SELECT r.ev, r.round_id, r.task, r.round, 'open' AS phase, r.propose_end AS ends_at, NULL AS model_root, NULL AS head,
    NULL AS reason, NULL AS account, r.block, r.log, r.ts, r.tx
FROM rounds r
UNION ALL
SELECT p.ev, p.round_id, r.task, r.round, p.phase, p.ends_at, p.model_root, p.head, p.reason, p.account, f.block, f.log,
    f.ts, f.tx
FROM x_phase p JOIN facts f USING (ev) JOIN rounds r USING (round_id);

CREATE VIEW segments AS
SELECT x.*, r.task, r.round, f.block, f.log, f.ts, f.tx, f.finality
FROM x_segment x JOIN facts f USING (ev) JOIN rounds r USING (round_id);

CREATE VIEW aggregates AS
SELECT x.*, r.task, r.round, r.phase, r.base_model, t.rule, t.mode, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_aggregate x JOIN facts f USING (ev) JOIN rounds r USING (round_id) JOIN tasks t USING (task);

-- The commitment that counts of every client: its first one (in accumulated mode a client may come again).
CREATE VIEW commitments AS
SELECT min(x.ev) AS ev, x.round_id, x.client, x.commitment
FROM x_update x JOIN facts USING (ev) WHERE x.stage = 'committed' GROUP BY x.round_id, x.client;

-- One row for every client that committed to a round, with what became of it. Samples are the client's word.
CREATE VIEW contributions AS
SELECT c.round_id, r.task, r.round, r.phase, c.client, c.commitment, p.cid, p.n_samples, p.digest,
    CASE WHEN x.ev IS NOT NULL THEN 'rejected' WHEN a.ev IS NOT NULL THEN 'accepted'
        WHEN r.phase IN ('open', 'paused') THEN 'pending' ELSE 'dropped' END AS outcome,
    x.reason, c.ev, f.block, f.log, f.ts, f.tx, coalesce(x.ev, a.ev) AS outcome_ev
FROM commitments c JOIN facts f USING (ev) JOIN rounds r USING (round_id)
LEFT JOIN x_update p ON p.round_id = c.round_id AND p.client = c.client AND p.stage = 'published'
    AND EXISTS (SELECT 1 FROM facts WHERE facts.ev = p.ev)
LEFT JOIN x_update x ON x.round_id = c.round_id AND x.client = c.client AND x.stage = 'rejected'
    AND EXISTS (SELECT 1 FROM facts WHERE facts.ev = x.ev)
LEFT JOIN x_aggregate a ON a.round_id = c.round_id AND EXISTS (SELECT 1 FROM facts WHERE facts.ev = a.ev);

-- What happened to updates, step by step: committed, published, rejected; and accepted, which no event says by itself:
-- committed, proposed, and not rejected.
CREATE VIEW updates AS
SELECT x.ev, x.round_id, r.task, r.round, r.phase, x.client, x.stage, x.commitment, x.cid, x.n_samples, x.digest,
    x.reason, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_update x JOIN facts f USING (ev) JOIN rounds r USING (round_id)
UNION ALL
SELECT c.outcome_ev, c.round_id, c.task, c.round, c.phase, c.client, 'accepted', c.commitment, c.cid, c.n_samples,
    c.digest, NULL, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM contributions c JOIN facts f ON f.ev = c.outcome_ev WHERE c.outcome = 'accepted';

-- Blobs that a round's manifest names, the manifest itself and the list of a root-only round.
CREATE VIEW blobs AS
SELECT r.task, r.round, r.round_id, NULL AS client, x.kind, x.cid, f.block, f.log, f.tx
FROM x_blob x JOIN facts f USING (ev) JOIN rounds r USING (round_id)
UNION ALL
SELECT u.task, u.round, u.round_id, u.client, 'update', u.cid, u.block, u.log, u.tx FROM updates u
WHERE u.stage = 'published' AND u.cid IS NOT NULL;

CREATE VIEW stakes AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.actor, f.finality FROM x_stake x JOIN facts f USING (ev);

-- What each participant has at stake and how much of it tasks hold. Gwei and what is below a gwei are summed apart, so
-- that the wei are exact.
CREATE VIEW balances AS
WITH entry AS (
    SELECT client, ev, gwei, CAST(substr(wei, -9) AS INT) AS rest,
        CASE kind WHEN 'deposit' THEN 1 WHEN 'slash' THEN -1 WHEN 'withdraw' THEN -1 ELSE 0 END AS sign,
        CASE kind WHEN 'lock' THEN 1 WHEN 'unlock' THEN -1 ELSE 0 END AS hold
    FROM stakes WHERE client IS NOT NULL
), total AS (
    SELECT client, max(ev) AS ev, sum(sign * gwei) AS gwei, sum(sign * rest) AS rest, sum(hold * gwei) AS held,
        sum(hold * rest) AS held_rest
    FROM entry GROUP BY client
), carried AS (
    SELECT client, ev, (rest % 1000000000 + 1000000000) % 1000000000 AS low, rest,
        (held_rest % 1000000000 + 1000000000) % 1000000000 AS held_low, held_rest, gwei, held
    FROM total
)
SELECT client, gwei + (rest - low) / 1000000000 AS gwei,
    coalesce(nullif(ltrim(printf('%d%09d', gwei + (rest - low) / 1000000000, low), '0'), ''), '0') AS wei,
    coalesce(nullif(ltrim(printf('%d%09d', held + (held_rest - held_low) / 1000000000, held_low), '0'), ''), '0')
        AS locked_wei,
    facts.block, facts.log, facts.tx
FROM carried JOIN facts USING (ev);

CREATE VIEW disputes AS
SELECT x.*, r.task, r.round, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_dispute x JOIN facts f USING (ev) LEFT JOIN rounds r USING (round_id);

CREATE VIEW board AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.finality FROM x_board x JOIN facts f USING (ev);

CREATE VIEW governance AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.actor, f.finality FROM x_governance x JOIN facts f USING (ev);

CREATE VIEW scores AS
SELECT x.*, r.task, r.round, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_score x JOIN facts f USING (ev) JOIN rounds r USING (round_id)
WHERE instr(x.kind, '/') = 0;

CREATE VIEW privacy_spend AS
SELECT x.*, r.task, r.round, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_privacy x JOIN facts f USING (ev) JOIN rounds r USING (round_id);

-- Objections of clients; the document lies in a store under cid.
CREATE VIEW contests AS
SELECT x.*, r.task, r.round, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_contest x JOIN facts f USING (ev) JOIN rounds r USING (round_id);

CREATE VIEW encryption_keys AS
SELECT x.*, f.block, f.log, f.ts, f.tx, f.actor, f.finality FROM x_encryption_key x JOIN facts f USING (ev);

-- What sponsors gave and took back, which rounds were shown, and what members were paid.
CREATE VIEW rewards AS
SELECT x.ev, x.pool, x.action, coalesce(x.task, r.task) AS task, r.round, x.round_id, x.client, x.account, x.rate_wei,
    x.cap_wei, x.until, x.wei, x.gwei, f.block, f.log, f.ts, f.tx, f.actor, f.finality
FROM x_reward x JOIN facts f USING (ev) LEFT JOIN rounds r USING (round_id);

-- Of this deployment.
CREATE VIEW signoffs AS
SELECT s.*, r.round
FROM signoff s JOIN chain c ON c.chain = (SELECT max(chain) FROM chain) AND c.chain_id = s.chain_id
    AND c.contract = s.contract
LEFT JOIN rounds r USING (round_id);

-- How good models are: signed by people, {"split/metric": "decimal"}; or stated on the ledger as a score that an
-- aggregator or attestor gives under its own number, of the kind "split/metric".
CREATE VIEW evals AS
SELECT s.task, s.round, s.round_id, substr(m.key, 1, instr(m.key, '/') - 1) AS split,
    substr(m.key, instr(m.key, '/') + 1) AS metric, CAST(m.value AS REAL) AS value, s.name AS evaluator, s.signer,
    s.signed_at, s.digest, s.valid, NULL AS block, NULL AS log, NULL AS tx
FROM signoffs s JOIN json_each(s.metrics) m
UNION ALL
SELECT r.task, r.round, x.round_id, substr(x.kind, 1, instr(x.kind, '/') - 1), substr(x.kind, instr(x.kind, '/') + 1),
    x.value, 'participant ' || x.scorer, f.actor, f.ts, x.method, 1, f.block, f.log, f.tx
FROM x_score x JOIN facts f USING (ev) JOIN rounds r USING (round_id)
WHERE instr(x.kind, '/') > 0 AND x.client = x.scorer;

-- The latest replay of each proposal that was made here, by the proposal's hash: it holds at every block.
CREATE VIEW replays AS
SELECT v.subject AS proposal_hash, v.verdict, v.at, v.tool, v.detail
FROM verification v
WHERE v.id IN (SELECT max(id) FROM verification WHERE chk = 'replay' GROUP BY subject);
