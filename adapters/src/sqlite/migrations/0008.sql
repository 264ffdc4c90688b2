-- A blind index has one digest (32 bytes), or two while the ring of index keys has two keys. Each is unique among accounts.
DROP INDEX users_email;
CREATE UNIQUE INDEX users_email ON users (realm, substr(email_index, 1, 32));
CREATE UNIQUE INDEX users_email_2 ON users (realm, substr(email_index, 33)) WHERE length(email_index) > 32;
CREATE INDEX registrations_email_1 ON registrations (realm, substr(email_index, 1, 32), created_at);
CREATE INDEX registrations_email_2 ON registrations (realm, substr(email_index, 33), created_at)
    WHERE length(email_index) > 32;
DROP INDEX undo_records_reserved;
CREATE INDEX undo_records_reserved ON undo_records (realm, substr(reserved, 1, 32), expires_at);
CREATE INDEX undo_records_reserved_2 ON undo_records (realm, substr(reserved, 33), expires_at)
    WHERE length(reserved) > 32;
