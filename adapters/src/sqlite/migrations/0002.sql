-- How the login of a session was authenticated (1 password, 2 SMS, 3 both), and the wrong passwords and codes in it.
ALTER TABLE sessions ADD COLUMN methods INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;

-- The network that made a registration, whether another one of its address was pending, and wrong passwords.
ALTER TABLE registrations ADD COLUMN network BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE registrations ADD COLUMN contested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE registrations ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
