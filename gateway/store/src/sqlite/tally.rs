//! How many links stand how, kept up to date by the writer so that a status never counts rows.

use super::links::StateCode;
use crate::error::Result;
use rusqlite::Connection;
use std::collections::HashMap;

/// What of a link a status counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The target's number.
    pub(super) target: i64,
    /// Its state.
    pub(super) state: StateCode,
    /// Wanted and seen differ.
    pub(super) pending: bool,
    /// It is closed, and nobody has proved it.
    pub(super) unverified: bool,
}

impl Standing {
    fn bucket(self) -> i64 {
        self.state.0 * 4 + i64::from(self.pending) * 2 + i64::from(self.unverified)
    }

    /// What a bucket of this target stands for.
    pub(super) fn of_bucket(target: i64, bucket: i64) -> Self {
        Standing { target, state: StateCode(bucket >> 2), pending: bucket & 2 != 0, unverified: bucket & 1 != 0 }
    }

    /// The SQL of a link row's bucket, for counting a whole target anew.
    pub(super) const BUCKET: &str = "state * 4 + (due IS NOT NULL OR generation <> applied) * 2 \
        + (closing = 1 AND verified = 0 AND native IS NOT NULL AND due IS NULL AND generation = applied)";
}

/// Changes of the counts that the present transaction has yet to write.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(HashMap<(i64, i64), i64>);

impl Tally {
    /// One link moved.
    pub(super) fn moved(&mut self, from: Option<Standing>, to: Option<Standing>) {
        if from == to {
            return;
        }
        for (standing, by) in [(from, -1), (to, 1)] {
            if let Some(standing) = standing {
                *self.0.entry((standing.target, standing.bucket())).or_default() += by;
            }
        }
    }

    /// Writes what has gathered.
    pub(super) fn flush(&mut self, conn: &Connection) -> Result<()> {
        for ((target, bucket), by) in self.0.drain().filter(|(_, by)| *by != 0) {
            conn.prepare_cached(
                "INSERT INTO tally (target, bucket, count) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?
            .execute((target, bucket, by))?;
        }
        Ok(())
    }

    /// Counts a target anew, after a statement that moved many of its links. What has gathered is written before.
    pub(super) fn recount(&mut self, conn: &Connection, target: i64) -> Result<()> {
        self.flush(conn)?;
        conn.execute("DELETE FROM tally WHERE target = ?1", [target])?;
        let bucket = Standing::BUCKET;
        conn.execute(
            &format!(
                "INSERT INTO tally (target, bucket, count) \
                 SELECT target, {bucket}, count(*) FROM link WHERE target = ?1 GROUP BY 2"
            ),
            [target],
        )?;
        Ok(())
    }
}
