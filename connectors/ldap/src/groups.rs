//! Groups: entitlements that accounts hold, and members of groups kept as objects. Members are added and removed by value;
//! no list is ever written whole.

use crate::subschema::Facts;
use crate::{
    config::EntitlementConfig,
    directory::{Directory, Place},
    dn::{self, Filter, Rdn},
    error,
    pool::Session,
    session::{Entry, Query},
    shape::{self, Shape},
    translate,
};
use connector_spi::{Class, ConnError, Ctx, Delta, Entitlement, NativeId, Result, Value, ValueType};
use futures_util::{StreamExt, stream};
use ldap3::{Mod, Scope};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
};

/// Whether a membership is given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// To be given.
    Give,
    /// To be taken.
    Take,
}

/// Groups read or written at the same time for one account.
const AT_ONCE: usize = 8;

/// Ids or names in one search.
const PER_SEARCH: usize = 50;

impl Directory {
    /// Gives or takes one entitlement. What is so already is success.
    pub(crate) async fn membership(
        &self,
        cx: &Ctx,
        account: &str,
        entitlement: &Entitlement,
        what: Membership,
    ) -> Result<()> {
        let part = part(entitlement);
        let Some(config) = shape::entitlement(&self.config, &entitlement.kind) else {
            return Err(ConnError::invalid("the directory has no such type of entitlement").attribute(part));
        };
        if !entitlement.scope.is_empty() {
            return Err(ConnError::invalid("a group cannot be held for one place only").attribute(part));
        }
        if config.placeholder.as_deref().is_some_and(|other| dn::folded(other) == dn::folded(account)) {
            return Err(ConnError::invalid("the placeholder's memberships are not changed").attribute(part));
        }
        let key = format!("{}:{}", config.kind, entitlement.value);
        let mut session = self.pool.session(cx).await?;
        let Some(account) = self.member_value(&mut session, config, account).await? else {
            return Err(
                ConnError::conflict("the account has no value by which this group could list it").attribute(part)
            );
        };
        let account = account.as_str();
        for again in [false, true] {
            let group = match self.groups.of(&key).filter(|_| !again) {
                Some(group) => group,
                None if again || !config.value.eq_ignore_ascii_case("cn") => {
                    match self.group_named(&mut session, config, &entitlement.value).await? {
                        Some(group) => group,
                        None if what == Membership::Take => return Ok(()),
                        None => return Err(ConnError::invalid("the directory has no such group").attribute(part)),
                    }
                }
                // The usual place of a group, tried before it is searched for.
                None => {
                    let value = translate::octets(&part, &Value::from(entitlement.value.as_str()), ValueType::Text)?;
                    Rdn::new(&config.value, &String::from_utf8_lossy(&value)).under(&config.base)
                }
            };
            let list = (config.member.as_str(), config.placeholder.as_deref());
            let (code, words) = self.write_member(&mut session, list, &group, account, what).await?;
            match (code, what) {
                // The account's primary group lists nobody for it: another one must become primary before it can go.
                (16 | 53, _)
                    if self.config.active_directory
                        && self.primary_is(&mut session, config, &group, account).await? =>
                {
                    if what == Membership::Give {
                        return Ok(());
                    }
                    return self
                        .leave_primary(&mut session, config, &group, account)
                        .await
                        .map_err(|error| error.attribute(part));
                }
                (0, _) | (20 | 68, Membership::Give) | (16, Membership::Take) => {
                    self.groups.learn(&key, &group);
                    return Ok(());
                }
                (32, _) if !again => self.groups.forget(&key),
                (32, Membership::Take) => return Ok(()),
                // Active Directory's answer to taking what is absent, and to other things: the group itself tells.
                (53, Membership::Take) if !self.is_member(&mut session, config, &group, account).await? => {
                    return Ok(());
                }
                (code, _) => {
                    return Err(error::refused(code, &words, "changing a group", session.codes).attribute(part));
                }
            }
        }
        Ok(())
    }

    async fn write_member(
        &self,
        session: &mut Session<'_>,
        (member, placeholder): (&str, Option<&str>),
        group: &str,
        account: &str,
        what: Membership,
    ) -> Result<(u32, String)> {
        let member = member.as_bytes().to_vec();
        let one = HashSet::from([account.as_bytes().to_vec()]);
        let mods = match what {
            Membership::Give => vec![Mod::Add(member.clone(), one)],
            Membership::Take => vec![Mod::Delete(member.clone(), one)],
        };
        let result = session.modify(group, mods.clone(), Vec::new()).await?;
        match (placeholder, result.rc, what) {
            // The last member goes, and the group may not be empty.
            (Some(placeholder), 65, Membership::Take) => {
                let stay = Mod::Add(member, HashSet::from([placeholder.as_bytes().to_vec()]));
                let mods = std::iter::once(stay).chain(mods).collect();
                let result = session.modify(group, mods, Vec::new()).await?;
                Ok((result.rc, result.text))
            }
            _ => Ok((result.rc, result.text)),
        }
    }

    async fn is_member(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        group: &str,
        account: &str,
    ) -> Result<bool> {
        let filter = Filter::Equal(config.member.clone(), account.as_bytes().to_vec());
        let none = ["1.1".to_owned()];
        let query = Query {
            base: group,
            scope: Scope::Base,
            filter: &filter,
            attributes: &none,
            limit: 0,
            controls: Vec::new(),
        };
        Ok(!session.entries(query, "reading a group").await?.is_empty())
    }

    async fn group_named(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        value: &NativeId,
    ) -> Result<Option<String>> {
        let filter = Filter::All(vec![
            ("objectClass".into(), config.object_class.clone().into_bytes()),
            (config.value.clone(), value.as_str().as_bytes().to_vec()),
        ]);
        let none = ["1.1".to_owned()];
        let query = Query {
            base: &config.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &none,
            limit: 2,
            controls: Vec::new(),
        };
        Ok(session.entries(query, "looking for a group").await?.into_iter().next().map(|entry| entry.dn))
    }

    /// What an account holds; `None` where not all of it could be read.
    pub(crate) async fn held(&self, cx: &Ctx, account: &Entry, shape: &Shape) -> Result<Option<Vec<Entitlement>>> {
        let mut held = match self.primary(cx, account, shape).await? {
            Some(primary) => primary,
            None => return Ok(None),
        };
        if let Some(attribute) = &shape.member_of {
            let more = self.held_by_attribute(cx, account.values(attribute)).await?;
            return Ok(more.map(|more| held.into_iter().chain(more).collect()));
        }
        let searches = self.config.entitlements.iter().map(|config| self.held_of_type(cx, config, &account.dn));
        for found in some_at_once(searches.collect(), AT_ONCE).await {
            match found? {
                Some(found) => held.extend(found),
                None => return Ok(None),
            }
        }
        Ok(Some(held))
    }

    pub(crate) async fn held_of_type(
        &self,
        cx: &Ctx,
        config: &EntitlementConfig,
        dn: &str,
    ) -> Result<Option<Vec<Entitlement>>> {
        let mut session = self.pool.session(cx).await?;
        let Some(member) = self.member_value(&mut session, config, dn).await? else { return Ok(Some(Vec::new())) };
        let filter = Filter::All(vec![
            ("objectClass".into(), config.object_class.clone().into_bytes()),
            (config.member.clone(), member.into_bytes()),
        ]);
        let wanted = [config.value.clone()];
        let query = Query {
            base: &config.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &wanted,
            limit: 0,
            controls: Vec::new(),
        };
        let found = session.find(query).await?;
        match found.result.rc {
            0 if !found.elsewhere => {}
            // Limits, a part kept elsewhere, or a base that is not there: what was read is not all.
            0 | 3 | 4 | 10 | 11 | 32 => return Ok(None),
            code => return Err(session.refused(code, &found.result, "reading an account's groups")),
        }
        let value = |entry: &Entry| {
            let value = entry.text(&config.value)?;
            Some(Entitlement::new(config.kind.as_str(), value))
        };
        Ok(found.entries.iter().map(value).collect())
    }

    async fn held_by_attribute(&self, cx: &Ctx, groups: &[Vec<u8>]) -> Result<Option<Vec<Entitlement>>> {
        let mut held = Vec::new();
        for group in groups {
            let Ok(group) = std::str::from_utf8(group) else { return Ok(None) };
            let Some(config) = self.config.entitlements.iter().find(|config| dn::is_under(group, &config.base)) else {
                continue;
            };
            let value = match dn::first_part(group) {
                Some((attribute, value)) if attribute.eq_ignore_ascii_case(&config.value) => value,
                _ => {
                    let wanted = [config.value.clone()];
                    let entry = self.pool.session(cx).await?.entry(group, &wanted, "reading a group").await?;
                    match entry.as_ref().and_then(|entry| entry.text(&config.value)) {
                        Some(value) => value.to_owned(),
                        None => return Ok(None),
                    }
                }
            };
            held.push(Entitlement::new(config.kind.as_str(), value));
        }
        Ok(Some(held))
    }

    /// What stands for an account in a type's groups: its name, or the value of an attribute. `None` where it has none.
    pub(crate) async fn member_value(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        dn: &str,
    ) -> Result<Option<String>> {
        let Some(attribute) = &config.member_value else { return Ok(Some(dn.to_owned())) };
        if let Some((name, value)) = dn::first_part(dn)
            && name.eq_ignore_ascii_case(attribute)
        {
            return Ok(Some(value));
        }
        let entry = session.entry(dn, std::slice::from_ref(attribute), "reading an account").await?;
        Ok(entry.as_ref().and_then(|entry| entry.text(attribute)).map(str::to_owned))
    }

    /// What an account holds in groups that list it by a value that this change replaces, each with the old value.
    pub(crate) async fn listed_by_value(
        &self,
        cx: &Ctx,
        place: &Place<'_>,
        facts: &Facts,
        deltas: &BTreeMap<String, Delta>,
    ) -> Result<Vec<(Entitlement, String)>> {
        let mut listed = Vec::new();
        for config in self.config.entitlements.iter().filter(|_| place.shape.is_account()) {
            let Some(attribute) = &config.member_value else { continue };
            // Where it is the naming attribute, the change is a rename, and `follow` sees to it.
            if facts.same(attribute, &place.shape.rdn) || !deltas.keys().any(|name| facts.same(name, attribute)) {
                continue;
            }
            let mut session = self.pool.session(cx).await?;
            let Some(old) = self.member_value(&mut session, config, &place.dn).await? else { continue };
            drop(session);
            let held = self.held_of_type(cx, config, &place.dn).await?.unwrap_or_default();
            listed.extend(held.into_iter().map(|held| (held, old.clone())));
        }
        Ok(listed)
    }

    /// After such a change: the new value into the groups, and the old one out.
    pub(crate) async fn follow_value(&self, cx: &Ctx, dn: &str, listed: &[(Entitlement, String)]) -> Result<()> {
        for (held, old) in listed {
            let Some(config) = shape::entitlement(&self.config, &held.kind) else { continue };
            let mut session = self.pool.session(cx).await?;
            let new = self.member_value(&mut session, config, dn).await?;
            if new.as_ref() == Some(old) {
                continue;
            }
            let Some(group) = self.group_named(&mut session, config, &held.value).await? else { continue };
            let list = (config.member.as_str(), config.placeholder.as_deref());
            let moves = new.iter().map(|new| (new, Membership::Give)).chain([(old, Membership::Take)]);
            for (value, what) in moves {
                let (code, words) = self.write_member(&mut session, list, &group, value, what).await?;
                if !matches!((code, what), (0, _) | (20 | 68, Membership::Give) | (16, Membership::Take)) {
                    return Err(error::refused(code, &words, "changing a group", session.codes).attribute(part(held)));
                }
            }
        }
        Ok(())
    }

    /// After a rename: memberships that the server did not carry over by itself (it needs referential integrity for that).
    pub(crate) async fn follow(&self, cx: &Ctx, old: &str, new: &str) -> Result<()> {
        for config in &self.config.entitlements {
            for held in self.held_of_type(cx, config, old).await?.unwrap_or_default() {
                self.membership(cx, new, &held, Membership::Give).await?;
                self.membership(cx, old, &held, Membership::Take).await?;
            }
        }
        self.follow_in_objects(cx, old, Some(new)).await
    }

    /// The same for groups kept as objects, also for an account that is gone (`new` is nothing): its name would stay in them
    /// for whoever gets it next.
    pub(crate) async fn follow_in_objects(&self, cx: &Ctx, old: &str, new: Option<&str>) -> Result<()> {
        let Some(config) = &self.config.group else { return Ok(()) };
        let list = (config.member.as_str(), config.placeholder.as_deref());
        let filter = Filter::Equal(config.member.clone(), old.as_bytes().to_vec());
        let none = ["1.1".to_owned()];
        let query = Query {
            base: &config.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &none,
            limit: 0,
            controls: Vec::new(),
        };
        let mut session = self.pool.session(cx).await?;
        let writes = new.map(|new| (new, Membership::Give)).into_iter().chain([(old, Membership::Take)]);
        let writes: Vec<_> = writes.collect();
        for group in session.entries(query, "looking for an account's groups").await? {
            for (account, what) in &writes {
                let (code, words) = self.write_member(&mut session, list, &group.dn, account, *what).await?;
                // It is so already, or the group has gone meanwhile.
                if !matches!((code, what), (0 | 32, _) | (20, Membership::Give) | (16, Membership::Take)) {
                    return Err(error::refused(code, &words, "changing a group", session.codes).attribute(list.0));
                }
            }
        }
        Ok(())
    }

    /// Names of accounts by their ids, looked up anew: a group takes a name as it is, and nothing would hold it against the
    /// id. Values that are names already stay.
    pub(crate) async fn members_to_names(&self, cx: &Ctx, attribute: &str, values: &[Value]) -> Result<Vec<Vec<u8>>> {
        let (names, missing) = self.names_of(cx, attribute, values).await?;
        if missing {
            return Err(ConnError::invalid("a member is no account of the directory").attribute(attribute));
        }
        Ok(names)
    }

    /// As [`Self::members_to_names`] for members to take out: who is no account of the directory any more left its groups when
    /// the account was deleted.
    pub(crate) async fn leavers_to_names(&self, cx: &Ctx, attribute: &str, values: &[Value]) -> Result<Vec<Vec<u8>>> {
        self.names_of(cx, attribute, values).await.map(|(names, _)| names)
    }

    /// Names by ids, and whether some id has none.
    async fn names_of(&self, cx: &Ctx, attribute: &str, values: &[Value]) -> Result<(Vec<Vec<u8>>, bool)> {
        let mut missing = false;
        let (mut names, mut ids) = (Vec::with_capacity(values.len()), HashSet::new());
        for value in values {
            let octets = translate::octets(attribute, value, ValueType::Text)?;
            let text = String::from_utf8(octets)
                .map_err(|_| ConnError::invalid("a member must be an id or a name").attribute(attribute))?;
            if dn::is_name(&text) {
                names.push(text.into_bytes());
            } else {
                ids.insert(text);
            }
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let id = self.id_attribute();
        for chunk in ids.chunks(PER_SEARCH) {
            let filter = Filter::Any(chunk.iter().map(|one| (id.to_owned(), one.clone().into_bytes())).collect());
            let found = self.lookup(cx, &self.config.account.base, &filter).await?;
            missing |= found.len() < chunk.len();
            names.extend(found.into_values().map(String::into_bytes));
        }
        Ok((names, missing))
    }

    /// Ids of accounts by their names, the placeholder left out. A member that is no account stays a name.
    pub(crate) async fn names_to_members(
        &self,
        cx: &Ctx,
        placeholder: Option<&str>,
        dns: &[Vec<u8>],
    ) -> Result<Vec<Value>> {
        let skip = placeholder.map(dn::folded);
        let folded = dns.iter().map(|dn| String::from_utf8_lossy(dn).into_owned()).map(|dn| (dn::folded(&dn), dn));
        let wanted: Vec<(String, String)> = folded.filter(|(folded, _)| Some(folded) != skip.as_ref()).collect();
        let reads = wanted.iter().map(|(_, dn)| self.id_of(cx, dn)).collect();
        let mut members = Vec::with_capacity(wanted.len());
        for (id, (_, dn)) in some_at_once(reads, AT_ONCE).await.into_iter().zip(&wanted) {
            members.push(Value::from(id?.unwrap_or_else(|| dn.clone())));
        }
        Ok(members)
    }

    async fn id_of(&self, cx: &Ctx, dn: &str) -> Result<Option<String>> {
        let id = self.id_attribute();
        let entry = self.pool.session(cx).await?.entry(dn, &[id.to_owned()], "reading a member").await?;
        Ok(entry.as_ref().and_then(|entry| entry.text(id)).map(str::to_owned))
    }

    async fn lookup(&self, cx: &Ctx, base: &str, filter: &Filter) -> Result<HashMap<String, String>> {
        let id = self.id_attribute();
        let wanted = [id.to_owned()];
        let query = Query { base, scope: Scope::Subtree, filter, attributes: &wanted, limit: 0, controls: Vec::new() };
        let found = self.pool.session(cx).await?.entries(query, "looking for members").await?;
        let mut names = HashMap::new();
        for entry in found {
            if let Some(id) = entry.text(id) {
                self.names.learn(id, &entry.dn);
                names.insert(id.to_owned(), entry.dn.clone());
            }
        }
        Ok(names)
    }
}

/// Awaits all, some at a time, and answers in their order.
pub async fn some_at_once<F: Future>(calls: Vec<F>, at_once: usize) -> Vec<F::Output> {
    stream::iter(calls).buffered(at_once).collect().await
}

/// The name of an entitlement as a part of a change.
pub fn part(entitlement: &Entitlement) -> String {
    format!("{}:{}", entitlement.kind, entitlement.value)
}

/// Whether an error ends the whole change, because the next operation would meet it too.
pub fn ends_all(class: Class) -> bool {
    match class {
        Class::Transient
        | Class::Throttled
        | Class::Timeout
        | Class::Unknown
        | Class::Auth
        | Class::Config
        | Class::StaleVersion
        | Class::NotFound => true,
        Class::AlreadyExists
        | Class::Conflict
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    }
}
