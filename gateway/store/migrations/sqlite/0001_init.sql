-- Times are microseconds since 1970, UTC. Ids of resources are 16 octets where they are UUIDs, else text.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that occur in many rows, by number: resource types, sources, targets, kinds, index keys.
CREATE TABLE name (
    sort INTEGER NOT NULL,
    id INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (sort, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX name_text ON name (sort, text);

-- seq is (type << 40) + a number that only grows: listing a type in order of creation is a range of the table itself.
-- Small columns come first: what lies behind attrs would need its overflow pages.
CREATE TABLE resource (
    seq INTEGER PRIMARY KEY,
    id ANY NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    next_change INTEGER,
    display TEXT,
    external TEXT,
    keys BLOB NOT NULL,
    attrs TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX resource_id ON resource (id);
CREATE INDEX resource_change ON resource (next_change) WHERE next_change IS NOT NULL;

-- How many resources there are among 1,024 neighbouring seqs: id is seq >> 10. top is the highest seq ever given there.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    top INTEGER NOT NULL
) STRICT;

-- id is (seq << 12) + source. The table's own order keeps a resource's assertions together without another index.
CREATE TABLE assertion (
    id INTEGER PRIMARY KEY,
    observed INTEGER NOT NULL,
    external TEXT,
    attrs TEXT NOT NULL
) STRICT;

-- holder is 0 where the value must be unique, else the resource: so one key serves uniqueness, look-up and order.
CREATE TABLE lookup (
    key INTEGER NOT NULL,
    value TEXT NOT NULL,
    holder INTEGER NOT NULL,
    resource INTEGER NOT NULL,
    PRIMARY KEY (key, value, holder)
) STRICT, WITHOUT ROWID;

CREATE TABLE membership (
    grp INTEGER NOT NULL,
    member INTEGER NOT NULL,
    added INTEGER NOT NULL,
    PRIMARY KEY (grp, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_of ON membership (member);

-- The row is the queue. States below 10 may be worked; a claimed link leaves link_due for link_leased.
CREATE TABLE link (
    id INTEGER PRIMARY KEY,
    resource ANY NOT NULL,
    target INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    state INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    due INTEGER,
    leased INTEGER,
    dirty INTEGER NOT NULL,
    success INTEGER,
    pending INTEGER,
    closing INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    order_key TEXT NOT NULL,
    native TEXT,
    error TEXT,
    wanted TEXT,
    sent TEXT,
    seen TEXT
) STRICT;
CREATE UNIQUE INDEX link_key ON link (resource, target, kind, purpose);
-- pending, leased and state stand in it so that a status need not read the rows; the last two cost no octet each.
CREATE INDEX link_due ON link (target, lane, due, pending, leased, state)
    WHERE due IS NOT NULL AND leased IS NULL AND state < 10;
CREATE INDEX link_leased ON link (target, kind, order_key) WHERE leased IS NOT NULL;
CREATE INDEX link_native ON link (target, kind, native) WHERE native IS NOT NULL;
CREATE INDEX link_held ON link (target, state, pending) WHERE state >= 10;

-- How many links stand how, so that a status does not count a million rows. bucket: see sqlite/tally.rs.
CREATE TABLE tally (
    target INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (target, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE success (
    target INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE sweep (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cause TEXT NOT NULL,
    cursor INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_source ON token (source, created);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    resource ANY,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
