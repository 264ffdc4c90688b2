-- The operator who did what an event says, and the reason given.
ALTER TABLE audit ADD COLUMN operator TEXT;
ALTER TABLE audit ADD COLUMN reason TEXT;
