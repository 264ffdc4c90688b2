-- Changes of an account that can be undone: the former state, sealed under the account's data key, and the digest of the
-- link. `reserved` is the blind index of a former address.
CREATE TABLE undo_records (
    realm TEXT NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    change TEXT NOT NULL,
    version INTEGER NOT NULL,
    former BLOB NOT NULL,
    reserved BLOB,
    token BLOB,
    tries_left INTEGER NOT NULL,
    used INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    mac BLOB,
    PRIMARY KEY (realm, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX undo_records_token ON undo_records (realm, token) WHERE token IS NOT NULL;
CREATE INDEX undo_records_user ON undo_records (realm, user_id, version);
CREATE INDEX undo_records_reserved ON undo_records (realm, reserved, expires_at) WHERE reserved IS NOT NULL;
CREATE INDEX undo_records_expiry ON undo_records (expires_at);
