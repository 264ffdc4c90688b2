-- Second factors beside SMS, sealed: the authenticator app that is on, the one whose first code is awaited, and the unused
-- backup codes.
ALTER TABLE users ADD COLUMN totp BLOB;
ALTER TABLE users ADD COLUMN pending_totp BLOB;
ALTER TABLE users ADD COLUMN backup_codes BLOB;
