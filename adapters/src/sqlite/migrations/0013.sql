-- The remembered devices of an account, sealed.
ALTER TABLE users ADD COLUMN devices BLOB;
