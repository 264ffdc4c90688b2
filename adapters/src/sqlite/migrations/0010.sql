-- The names that operators gave to an account, with a space between two of them. Without roles it is empty.
ALTER TABLE users ADD COLUMN roles TEXT;
