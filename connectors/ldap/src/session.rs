//! The operations of LDAP on a [`Session`], with results as values.

use crate::{
    active,
    dn::Filter,
    error,
    pool::{Doing, Session},
    subschema::control,
};
use connector_spi::{ConnError, Effect, Result};
use ldap3::{LdapResult, Mod, ResultEntry, Scope, SearchOptions, controls::RawControl};
use std::collections::HashSet;
use tokio::time::timeout_at;

/// An entry as read: its name, and its attributes in the server's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub dn: String,
    /// Attributes and their octets.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute, in any spelling of its name.
    pub fn values(&self, attribute: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.map_or(&[], |(_, values)| values)
    }

    /// The first value of an attribute, as text.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.values(attribute).first().and_then(|value| std::str::from_utf8(value).ok())
    }

    fn read(entry: ResultEntry) -> Option<Self> {
        let mut parts = entry.0.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut pair = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(pair.next()?.expect_primitive()?).ok()?;
            let values = pair.next()?.expect_constructed()?.into_iter().filter_map(|value| value.expect_primitive());
            // Lasting ids of an Active Directory are octets on the wire and text everywhere else.
            let is_guid = name.eq_ignore_ascii_case(active::ID);
            let plain = |value: Vec<u8>| match is_guid.then(|| active::guid(&value)).flatten() {
                Some(text) => text.into_bytes(),
                None => value,
            };
            attributes.push((name, values.map(plain).collect()));
        }
        Some(Self { dn, attributes })
    }
}

/// The values of one range of an attribute, and where the next begins; `None` where the attribute is not given in ranges.
fn ranged(entry: &Entry, attribute: &str) -> Option<(Vec<Vec<u8>>, Option<u32>)> {
    entry.attributes.iter().find_map(|(name, values)| {
        let (plain, option) = name.split_once(';')?;
        let (prefix, range) = option.split_at_checked("range=".len())?;
        let (_, last) = range.split_once('-')?;
        let fits = plain.eq_ignore_ascii_case(attribute) && prefix.eq_ignore_ascii_case("range=");
        fits.then(|| (values.clone(), last.parse::<u32>().ok().map(|last| last.saturating_add(1))))
    })
}

/// A search.
pub struct Query<'q> {
    /// Where.
    pub base: &'q str,
    /// How deep.
    pub scope: Scope,
    /// What.
    pub filter: &'q Filter,
    /// Which attributes.
    pub attributes: &'q [String],
    /// Most entries; 0 means no limit of ours.
    pub limit: i32,
    /// Controls.
    pub controls: Vec<RawControl>,
}

/// What a search brought.
pub struct Found {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Parts of the tree are elsewhere and were not read.
    pub elsewhere: bool,
    /// The final result.
    pub result: LdapResult,
}

/// Attributes of a new entry.
pub type Attributes = Vec<(Vec<u8>, HashSet<Vec<u8>>)>;

impl Session<'_> {
    /// Adds an entry.
    pub async fn add(&mut self, dn: &str, attributes: Attributes, controls: Vec<RawControl>) -> Result<LdapResult> {
        let outcome = self.ldap()?.with_controls(controls).add(dn, attributes).await;
        self.settle(outcome, Doing::Writing)
    }

    /// Changes an entry.
    pub async fn modify(&mut self, dn: &str, mods: Vec<Mod<Vec<u8>>>, controls: Vec<RawControl>) -> Result<LdapResult> {
        let outcome = self.ldap()?.with_controls(controls).modify(dn, mods).await;
        self.settle(outcome, Doing::Writing)
    }

    /// Renames or moves an entry.
    pub async fn rename(
        &mut self,
        dn: &str,
        rdn: &str,
        parent: Option<&str>,
        controls: Vec<RawControl>,
    ) -> Result<LdapResult> {
        let outcome = self.ldap()?.with_controls(controls).modifydn(dn, rdn, true, parent).await;
        self.settle(outcome, Doing::Writing)
    }

    /// Deletes an entry.
    pub async fn remove(&mut self, dn: &str, controls: Vec<RawControl>) -> Result<LdapResult> {
        let outcome = self.ldap()?.with_controls(controls).delete(dn).await;
        self.settle(outcome, Doing::Writing)
    }

    /// Searches; an error of the connection is an error, a result code is a value.
    pub async fn find(&mut self, query: Query<'_>) -> Result<Found> {
        let deadline = self.deadline();
        match timeout_at(deadline, self.stream(query)).await {
            Ok(found) => found,
            Err(_) => Err(self.no_answer(Effect::None)),
        }
    }

    async fn stream(&mut self, query: Query<'_>) -> Result<Found> {
        let options = SearchOptions::new().sizelimit(query.limit);
        let mut controls = query.controls;
        if self.one_domain {
            controls.push(RawControl { ctype: control::ONE_DOMAIN.to_owned(), crit: false, val: None });
        }
        let handle = self.ldap()?.with_search_options(options);
        let handle = if controls.is_empty() { handle } else { handle.with_controls(controls) };
        let opened =
            handle.streaming_search(query.base, query.scope, &query.filter.text(), query.attributes.to_vec()).await;
        let mut stream = self.settle(opened, Doing::Reading)?;
        let mut found = (Vec::new(), false);
        let ended = loop {
            match stream.next().await {
                Ok(Some(entry)) if entry.is_ref() => found.1 = true,
                Ok(Some(entry)) => match Entry::read(entry) {
                    Some(entry) => found.0.push(entry),
                    None => found.1 = true,
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let result = stream.finish().await;
        self.settle(ended, Doing::Reading)?;
        Ok(Found { entries: found.0, elsewhere: found.1, result })
    }

    /// The entries of a search that must succeed; a missing base is no entry.
    pub async fn entries(&mut self, query: Query<'_>, doing: &str) -> Result<Vec<Entry>> {
        let found = self.find(query).await?;
        match found.result.rc {
            0 => Ok(found.entries),
            32 => Ok(Vec::new()),
            code => Err(self.refused(code, &found.result, doing)),
        }
    }

    /// One entry by its name.
    pub async fn entry(&mut self, dn: &str, attributes: &[String], doing: &str) -> Result<Option<Entry>> {
        let filter = Filter::Present("objectClass".into());
        let query = Query { base: dn, scope: Scope::Base, filter: &filter, attributes, limit: 0, controls: Vec::new() };
        Ok(self.entries(query, doing).await?.into_iter().next())
    }

    /// All values of an attribute of an entry. An Active Directory gives at most 1,500 at once, under another name
    /// (`member;range=0-1499`), and the rest when asked for it.
    pub async fn all_values(&mut self, entry: &Entry, attribute: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = entry.values(attribute).to_vec();
        let mut range = ranged(entry, attribute);
        while let Some((values, next)) = range {
            found.extend(values);
            let Some(next) = next else { break };
            let wanted = [format!("{attribute};range={next}-*")];
            let more = self.entry(&entry.dn, &wanted, "reading a long list").await?;
            let more = more.ok_or_else(|| ConnError::transient("an entry went while it was read"))?;
            range = ranged(&more, attribute);
            // A list that does not go on where it said it would has not been read.
            if range.as_ref().is_none_or(|(values, _)| values.is_empty()) {
                return Err(ConnError::unknown("a long list ends in the middle").effect(Effect::None));
            }
        }
        Ok(found)
    }

    /// The error for a result code.
    pub fn refused(&self, code: u32, result: &LdapResult, doing: &str) -> ConnError {
        error::refused(code, &result.text, doing, self.codes)
    }
}
