-- The tables of the stand-in, in SQLite's words, and its catalogue.
CREATE TABLE person (
    person_no    INTEGER PRIMARY KEY AUTOINCREMENT,
    login        TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(login) <= 64),
    staff_number TEXT NOT NULL UNIQUE CHECK (length(staff_number) <= 20),
    display_name TEXT NOT NULL CHECK (length(display_name) <= 80),
    title        TEXT CHECK (length(title) <= 120),
    active       INTEGER NOT NULL DEFAULT 1,
    row_version  INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE duty (duty_code TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE person_duty (
    person_no INTEGER NOT NULL REFERENCES person,
    duty_code TEXT NOT NULL REFERENCES duty,
    site      TEXT NOT NULL,
    PRIMARY KEY (person_no, duty_code, site)
);
CREATE TABLE open_session (session_id INTEGER PRIMARY KEY, person_no INTEGER NOT NULL REFERENCES person);
INSERT INTO duty VALUES ('TRIAGE', 'Triage'), ('WARD', 'Ward round'), ('NIGHT', 'Night watch');
