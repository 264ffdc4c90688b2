-- How the login of a session was authenticated (1 password, 2 SMS, 3 both), and the wrong passwords and codes in it.
ALTER TABLE sessions ADD COLUMN methods INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
