-- The language of a person's mails, SMS and pages, sealed like the other personal fields. Older records have none: English.
ALTER TABLE users ADD COLUMN locale BLOB;
ALTER TABLE registrations ADD COLUMN locale BLOB;
