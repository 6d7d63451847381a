//! Tokens of sources, and the audit as rows.

use super::ids::{at, at_maybe, corrupt, count, id, number, text};
use super::turn::Turn;
use crate::audit::AuditRow;
use crate::error::Result;
use crate::token::Token;
use gateway_domain::{Action, AuditEntry, SourceId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};

fn token(row: &Row<'_>) -> Result<Token> {
    Ok(Token {
        id: text(row, 0)?.to_owned(),
        source: text(row, 1)?.into(),
        hash: row.get(2)?,
        created: at(row, 3)?,
        expires: at_maybe(row, 4)?,
    })
}

/// The tokens that a condition finds.
pub(super) fn select(conn: &Connection, condition: &str, params: impl Params) -> Result<Vec<Token>> {
    let sql = format!("SELECT id, source, hash, created, expires FROM token WHERE {condition}");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(token(row)?);
    }
    Ok(found)
}

/// The token of this id.
pub(super) fn by_id(conn: &Connection, id: &str) -> Result<Option<Token>> {
    Ok(select(conn, "id = ?1", [id])?.into_iter().next())
}

/// A source's tokens, newest first.
pub(super) fn of_source(conn: &Connection, source: &SourceId) -> Result<Vec<Token>> {
    select(conn, "source = ?1 ORDER BY created DESC, id DESC", [source.as_str()])
}

/// Keeps one.
pub(super) fn put(turn: &mut Turn<'_>, token: &Token, audit: &AuditEntry) -> Result<()> {
    turn.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO token (id, source, hash, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            &token.id,
            token.source.as_str(),
            token.hash.as_slice(),
            token.created.as_microsecond(),
            token.expires.map(|at| at.as_microsecond()),
        ))?;
    turn.audit(audit)
}

/// Takes one out of use; whether there was one. Without one there is nothing to record.
pub(super) fn revoke(turn: &mut Turn<'_>, id: &str, audit: &AuditEntry) -> Result<bool> {
    let gone = turn.conn.prepare_cached("DELETE FROM token WHERE id = ?1")?.execute([id])? > 0;
    if gone {
        turn.audit(audit)?;
    }
    Ok(gone)
}

/// Audit rows after `seq`.
pub(super) fn audit(conn: &Connection, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, at, actor, action, resource, subject, version, detail, hash FROM audit \
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query((number(after), limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(audit_row(row)?);
    }
    Ok(found)
}

fn audit_row(row: &Row<'_>) -> Result<AuditRow> {
    let name = text(row, 3)?;
    let action = ACTIONS.into_iter().find(|action| action.name() == name).ok_or_else(|| corrupt("an audit row"))?;
    let resource = match row.get_ref(4)? {
        ValueRef::Null => None,
        _ => Some(id(row, 4)?),
    };
    Ok(AuditRow {
        seq: count(row, 0)?,
        entry: AuditEntry {
            at: at(row, 1)?,
            actor: text(row, 2)?.to_owned(),
            action,
            resource,
            subject: text(row, 5)?.to_owned(),
            version: count(row, 6)?,
            detail: text(row, 7)?.to_owned(),
        },
        hash: row.get(8)?,
    })
}

const ACTIONS: [Action; 7] =
    [Action::Create, Action::Update, Action::Delete, Action::TakeBack, Action::Settle, Action::Sweep, Action::Operate];
