-- What the chain holds, block by block, and what this machine knows beside it. facts.sql is on top of it.
--
-- Append-only: a block that a reorganisation takes away stays, marked, with its events; an epoch stays when a chain is
-- reset. Only the latest epoch is read on; a view shows nothing else. Tables from `org` on hold what no chain tells.

-- One row an epoch: a deployment on a chain, by what no other one has in common with it.
CREATE TABLE chain(chain INTEGER PRIMARY KEY, chain_id INT NOT NULL, genesis TEXT NOT NULL, contract TEXT NOT NULL,
    code_hash TEXT NOT NULL, deploy_block INT NOT NULL, deploy_hash TEXT NOT NULL, opened_at TEXT NOT NULL) STRICT;

-- finality: latest, safe or final. header: RLP, whose keccak is the hash.
CREATE TABLE block(chain INT NOT NULL, number INT NOT NULL, hash TEXT NOT NULL, parent TEXT NOT NULL, ts INT NOT NULL,
    header BLOB NOT NULL, canon INT NOT NULL DEFAULT 1, finality TEXT NOT NULL DEFAULT 'latest', seen_at TEXT NOT NULL,
    PRIMARY KEY(chain, hash)) STRICT;
CREATE INDEX block_number ON block(chain, number);
CREATE INDEX block_unsettled ON block(chain, number) WHERE finality <> 'final';

-- Logs of the contracts, raw and decoded. Canonical ones rise with their id in the order of the chain. task, round_id:
-- what it is about, also where the event itself leaves the task out. actor: who sent the transaction. args: JSON with
-- integers beyond 64 bits as text and bytes as 0x hex, the beginning of long ones; data has all of it.
CREATE TABLE event(id INTEGER PRIMARY KEY, chain INT NOT NULL, block_hash TEXT NOT NULL, number INT NOT NULL,
    tx TEXT NOT NULL, tx_index INT NOT NULL, log_index INT NOT NULL, address TEXT NOT NULL, topics BLOB NOT NULL,
    data BLOB NOT NULL, name TEXT NOT NULL, task INT, round_id INT, actor TEXT NOT NULL, args TEXT NOT NULL,
    canon INT NOT NULL DEFAULT 1, orphaned_by INT, UNIQUE(chain, block_hash, log_index)) STRICT;
CREATE INDEX event_number ON event(chain, number);
CREATE INDEX event_name ON event(name, task);
CREATE INDEX event_round ON event(round_id);
CREATE INDEX event_orphaned ON event(orphaned_by) WHERE orphaned_by IS NOT NULL;

-- past_final: 1 if a block was taken away that had counted as final.
CREATE TABLE reorg(id INTEGER PRIMARY KEY, chain INT NOT NULL, detected_at TEXT NOT NULL, fork_number INT NOT NULL,
    old_tip TEXT NOT NULL, new_tip TEXT NOT NULL, depth INT NOT NULL, events_orphaned INT NOT NULL,
    past_final INT NOT NULL) STRICT;

-- Events that name blobs, once those were looked for; missing: how many of them were not there.
CREATE TABLE reading(ev INTEGER PRIMARY KEY, missing INT NOT NULL) STRICT;

-- Blobs that were looked for. status: ok (all of it hashes to the CID), missing or corrupt. bytes, digest (SHA-256 of
-- the content): of those that are ok. retain_until: a date that people set.
CREATE TABLE artifact(cid TEXT PRIMARY KEY, kind TEXT NOT NULL, bytes INT, digest TEXT, status TEXT NOT NULL,
    retain_until TEXT, checked_at TEXT NOT NULL) STRICT;

-- Checks that were made here. chk 'index' compares this index with the chain; its subject is the last block's hash.
CREATE TABLE verification(id INTEGER PRIMARY KEY, at TEXT NOT NULL, tool TEXT NOT NULL, chk TEXT NOT NULL, task INT,
    round_id INT, subject TEXT, verdict TEXT NOT NULL, detail TEXT) STRICT;

-- Who is behind an owner's address. Stays on this machine; erasable, and in no export.
CREATE TABLE org(org TEXT PRIMARY KEY, label TEXT, salt TEXT, contact TEXT, erased_at TEXT) STRICT;
CREATE TABLE access_log(at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    outcome TEXT NOT NULL) STRICT;
