-- More about an event of the audit log: names of roles and settings, codes, numbers.
ALTER TABLE audit ADD COLUMN detail TEXT;
