-- Wrapped keys, in slots that never move and are overwritten where they are: see keys.rs.
CREATE TABLE keys (
    slot INTEGER PRIMARY KEY,
    free INTEGER NOT NULL,
    size INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;
CREATE INDEX keys_free ON keys (size) WHERE free = 1;

-- Accounts. Nothing in any column can be turned back into a person without the keys.
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
    password TEXT NOT NULL,
    phone_verified INTEGER NOT NULL,
    mfa_sms INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    credentials_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (realm, id)
) STRICT;
CREATE UNIQUE INDEX users_email ON users (realm, email_index);
CREATE TRIGGER users_key AFTER DELETE ON users BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;

-- Registrations that wait for their address to be proven.
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
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (realm, id)
) STRICT;
CREATE INDEX registrations_email ON registrations (realm, email_index, created_at);
CREATE INDEX registrations_expiry ON registrations (expires_at);
CREATE TRIGGER registrations_key AFTER DELETE ON registrations BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;

CREATE TABLE sessions (
    realm TEXT NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    credentials_version INTEGER NOT NULL,
    user_agent BLOB NOT NULL,
    address BLOB NOT NULL,
    authenticated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    current BLOB NOT NULL,
    previous BLOB,
    rotated_at INTEGER,
    successor BLOB,
    version INTEGER NOT NULL,
    PRIMARY KEY (realm, id)
) STRICT;
CREATE INDEX sessions_user ON sessions (realm, user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (min(idle_expires_at, expires_at));

-- One per holder; found by holder or by digest.
CREATE TABLE one_time_tokens (
    realm TEXT NOT NULL,
    purpose TEXT NOT NULL,
    subject BLOB NOT NULL,
    token BLOB NOT NULL,
    code BLOB,
    tries_left INTEGER NOT NULL,
    binding BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (realm, subject, purpose)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_time_tokens_token ON one_time_tokens (realm, purpose, token);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);

-- Work that waits, and dead letters. `task` names records; it carries nobody's data.
CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    subject BLOB,
    address BLOB,
    task TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    dead_at INTEGER,
    reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (due_at, created_at) WHERE dead_at IS NULL;
CREATE INDEX jobs_dead ON jobs (dead_at, created_at) WHERE dead_at IS NOT NULL;
CREATE INDEX jobs_subject ON jobs (realm, subject);
CREATE INDEX jobs_address ON jobs (realm, address);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    realm TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id BLOB,
    session_id BLOB
) STRICT;
CREATE INDEX audit_user ON audit (realm, user_id, number);

-- Failed logins in a row. The row whose address is empty counts all addresses that never logged in.
CREATE TABLE login_counts (
    realm TEXT NOT NULL,
    email BLOB NOT NULL,
    address BLOB NOT NULL,
    failures INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    PRIMARY KEY (realm, email, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_counts_strangers ON login_counts (touched_at) WHERE address = x'';

-- Buckets that must survive a restart.
CREATE TABLE buckets (
    realm TEXT NOT NULL,
    operation TEXT NOT NULL,
    who BLOB NOT NULL,
    full_at INTEGER NOT NULL,
    PRIMARY KEY (realm, operation, who)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_full ON buckets (full_at);

-- Sealed copies of messages, in development.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    realm TEXT NOT NULL,
    subject BLOB NOT NULL,
    job BLOB NOT NULL,
    part INTEGER NOT NULL,
    key_slot INTEGER NOT NULL,
    message BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (job, part)
) STRICT;
CREATE INDEX outbox_subject ON outbox (realm, subject);
CREATE TRIGGER outbox_key AFTER DELETE ON outbox BEGIN
    UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = OLD.key_slot;
END;

-- Values by which the database recognises the secrets it was written with.
CREATE TABLE checks (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
