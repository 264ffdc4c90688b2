-- Chains of the audit log: the id of each event, its link, and the signed notes about the chains.
ALTER TABLE audit ADD COLUMN event_id BLOB;
ALTER TABLE audit ADD COLUMN chain BLOB;
ALTER TABLE audit ADD COLUMN link INTEGER;
ALTER TABLE audit ADD COLUMN tag BLOB;
CREATE INDEX audit_chain ON audit (chain, link);
CREATE TABLE audit_notes (
    chain BLOB NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (chain, kind)
) STRICT, WITHOUT ROWID;
