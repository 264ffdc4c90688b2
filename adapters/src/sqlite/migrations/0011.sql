-- The passkeys of an account, sealed.
ALTER TABLE users ADD COLUMN passkeys BLOB;
