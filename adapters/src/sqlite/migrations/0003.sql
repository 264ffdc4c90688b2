-- A MAC for each record. Without one a record is refused, until `portcullis migrate --sign-existing` has signed it; that
-- command also seals the password hashes, which older versions stored as they are.
ALTER TABLE users RENAME TO users_2;
CREATE TABLE users (
    realm TEXT NOT NULL,
    id BLOB NOT NULL,
    email_index BLOB NOT NULL,
    key_slot INTEGER NOT NULL,
    first_name BLOB NOT NULL,
    last_name BLOB NOT NULL,
    email BLOB NOT NULL,
    phone BLOB NOT NULL,
    country_code BLOB NOT NULL,
    country BLOB NOT NULL,
    pending_index BLOB,
    pending_email BLOB,
    previous_email BLOB,
    password BLOB NOT NULL,
    phone_verified INTEGER NOT NULL,
    mfa_sms INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    credentials_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    mac BLOB,
    PRIMARY KEY (realm, id)
) STRICT;
INSERT INTO users SELECT realm, id, email_index, key_slot, first_name, last_name, email, phone, country_code, country,
    pending_index, pending_email, previous_email, CAST(password AS BLOB), phone_verified, mfa_sms, disabled,
    credentials_version, version, created_at, updated_at, NULL FROM users_2;
DROP TRIGGER users_key;
DROP TABLE users_2;
CREATE UNIQUE INDEX users_email ON users (realm, email_index);
CREATE TRIGGER users_key AFTER DELETE ON users BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;

ALTER TABLE registrations RENAME TO registrations_2;
CREATE TABLE registrations (
    realm TEXT NOT NULL,
    id BLOB NOT NULL,
    email_index BLOB NOT NULL,
    key_slot INTEGER NOT NULL,
    first_name BLOB NOT NULL,
    last_name BLOB NOT NULL,
    email BLOB NOT NULL,
    phone BLOB NOT NULL,
    country_code BLOB NOT NULL,
    country BLOB NOT NULL,
    password BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    network BLOB NOT NULL,
    contested INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    mac BLOB,
    PRIMARY KEY (realm, id)
) STRICT;
INSERT INTO registrations SELECT realm, id, email_index, key_slot, first_name, last_name, email, phone, country_code,
    country, CAST(password AS BLOB), created_at, expires_at, network, contested, failures, NULL FROM registrations_2;
DROP TRIGGER registrations_key;
DROP TABLE registrations_2;
CREATE INDEX registrations_email ON registrations (realm, email_index, created_at);
CREATE INDEX registrations_expiry ON registrations (expires_at);
CREATE TRIGGER registrations_key AFTER DELETE ON registrations BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;

ALTER TABLE sessions ADD COLUMN mac BLOB;
ALTER TABLE one_time_tokens ADD COLUMN mac BLOB;
ALTER TABLE jobs ADD COLUMN mac BLOB;
ALTER TABLE audit ADD COLUMN mac BLOB;
ALTER TABLE buckets ADD COLUMN mac BLOB;
ALTER TABLE outbox ADD COLUMN mac BLOB;
