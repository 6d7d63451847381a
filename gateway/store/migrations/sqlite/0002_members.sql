-- Links whose object has members: groups in targets. member_kind is the kind of the accounts that are its members; open is 0
-- while the object is closed, and then nothing is carried.
CREATE TABLE roster (
    link INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL,
    target INTEGER NOT NULL,
    member_kind INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT;
CREATE INDEX roster_group ON roster (grp);

-- One account in one group of a target. wanted is the id under which it should be there, seen the one under which it is; with
-- sent = 1 a call about seen is under way or its outcome is not known, so that it may be there. account is its own link.
CREATE TABLE roll (
    link INTEGER NOT NULL,
    account INTEGER NOT NULL,
    wanted TEXT,
    seen TEXT,
    sent INTEGER NOT NULL,
    PRIMARY KEY (link, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX roll_due ON roll (link, account) WHERE wanted IS NOT seen OR sent = 1;
CREATE INDEX roll_account ON roll (account);
