-- Service clients and operator tokens. `secret` is a hash of realm, name and 256 random bits.
CREATE TABLE credentials (
    realm TEXT NOT NULL,
    name TEXT NOT NULL,
    secret BLOB NOT NULL,
    scopes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    mac BLOB,
    PRIMARY KEY (realm, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_expiry ON credentials (expires_at) WHERE expires_at IS NOT NULL;
