-- Webhooks. The secret that signs their messages is a wrapped key.
CREATE TABLE webhooks (
    realm TEXT NOT NULL,
    id BLOB NOT NULL,
    key_slot INTEGER NOT NULL,
    old_secret BLOB,
    old_until INTEGER,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    mac BLOB,
    PRIMARY KEY (realm, id)
) STRICT;
CREATE TRIGGER webhooks_key AFTER DELETE ON webhooks BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;
