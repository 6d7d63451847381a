//! How a kind of entry looks: what [`crate::translate`] needs to know of the settings.

use crate::{
    active,
    config::{AccountConfig, Config, EntitlementConfig, GroupConfig, LockConfig, StatusConfig},
    dn::Test,
    session::Entry,
    subschema::Facts,
};
use connector_spi::{AccountState, Kind, ValueType};
use std::collections::BTreeMap;

/// The kind of accounts.
pub const ACCOUNT: &str = "account";
/// The kind of groups kept as objects.
pub const GROUP: &str = "group";
/// The attribute by which the caller chooses and sees the entry above.
pub const PARENT: &str = "parent";
/// The attribute of passwords (RFC 4519, section 2.41): written when scrambling, never read.
pub const PASSWORD: &str = "userPassword";

/// How the entries of one kind look.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The kind.
    pub kind: Kind,
    /// Subtree that holds them.
    pub base: String,
    /// Where new ones are made.
    pub parent: String,
    /// The naming attribute.
    pub rdn: String,
    /// Object classes of a new one; the first is searched for.
    pub classes: Vec<String>,
    /// Attributes read and written; empty means all of the classes.
    pub attributes: Vec<String>,
    /// Natural keys.
    pub keys: Vec<Vec<String>>,
    /// Attribute with the gateway's id.
    pub owned_mark: Option<String>,
    /// Attribute with the lasting id.
    pub id: String,
    /// Attribute that changes with each change.
    pub version: Option<String>,
    /// What locks.
    pub lock: Option<LockConfig>,
    /// What says the state in words.
    pub status: Option<StatusConfig>,
    /// A random password when closing.
    pub scramble: bool,
    /// End date attribute.
    pub end_date: Option<String>,
    /// Attribute with members, and the member that is no member.
    pub members: Option<(String, Option<String>)>,
    /// Attribute with the groups of an account.
    pub member_of: Option<String>,
    /// Types that differ from the schema's.
    pub types: BTreeMap<String, ValueType>,
    /// May be deleted.
    pub delete: bool,
    /// In an Active Directory.
    pub active: bool,
}

impl Shape {
    /// Accounts.
    pub fn account(config: &AccountConfig, active: bool) -> Self {
        Self {
            kind: ACCOUNT.into(),
            base: config.base.clone(),
            parent: config.parent().to_owned(),
            rdn: config.rdn.clone(),
            classes: config.object_classes.clone(),
            attributes: config.attributes.clone(),
            keys: config.keys(),
            owned_mark: config.owned_mark.clone(),
            id: id(config, active),
            version: version(config, active),
            lock: config.lock.clone(),
            status: config.status.clone(),
            scramble: config.scramble_password,
            end_date: config.end_date.clone().or_else(|| active.then(|| active::END.to_owned())),
            members: None,
            member_of: config.member_of.clone(),
            types: config.types.clone(),
            delete: config.allow_delete,
            active,
        }
    }

    /// Groups kept as objects.
    pub fn group(config: &GroupConfig, account: &AccountConfig, active: bool) -> Self {
        let mark = config.owned_mark.iter().map(|mark| vec![mark.clone()]);
        Self {
            kind: GROUP.into(),
            base: config.base.clone(),
            parent: config.base.clone(),
            rdn: config.rdn.clone(),
            classes: config.object_classes.clone(),
            attributes: Vec::new(),
            keys: std::iter::once(vec![config.rdn.clone()]).chain(mark).collect(),
            owned_mark: config.owned_mark.clone(),
            id: id(account, active),
            version: version(account, active),
            lock: None,
            status: None,
            scramble: false,
            end_date: None,
            members: Some((config.member.clone(), config.placeholder.clone())),
            member_of: None,
            types: BTreeMap::new(),
            delete: config.allow_delete,
            active,
        }
    }

    /// All kinds of objects of a configuration, accounts first.
    pub fn all(config: &Config) -> Vec<Self> {
        let active = config.active_directory;
        let group = config.group.as_ref().map(|group| Self::group(group, &config.account, active));
        std::iter::once(Self::account(&config.account, active)).chain(group).collect()
    }

    /// Whether these entries are accounts.
    pub fn is_account(&self) -> bool {
        self.kind.as_str() == ACCOUNT
    }

    /// Whether the connector can close them.
    pub fn closes(&self) -> bool {
        self.lock.is_some() || self.status.is_some() || self.has_flags()
    }

    /// Whether the state is in the flags of an Active Directory's account.
    pub fn has_flags(&self) -> bool {
        self.active && self.is_account()
    }

    /// Whether the attribute is an end in ticks since 1601.
    pub fn is_ticks(&self, attribute: &str) -> bool {
        self.has_flags() && attribute.eq_ignore_ascii_case(active::END)
    }

    /// The tests that every entry of the kind passes. In an Active Directory a computer is a user too.
    pub fn recognised_by(&self) -> Vec<Test> {
        let class = self.classes.first().map(|class| ("objectClass".to_owned(), class.clone().into_bytes()));
        let person = self.has_flags().then(|| ("objectCategory".to_owned(), b"person".to_vec()));
        class.into_iter().chain(person).collect()
    }

    /// The attribute that identifies members of a group, where they are groups.
    pub fn is_member(&self, attribute: &str) -> bool {
        self.members.as_ref().is_some_and(|(member, _)| member.eq_ignore_ascii_case(attribute))
    }

    /// Whether the gateway reads and writes this attribute: it is listed, named by another setting, or compulsory.
    pub fn offers(&self, facts: &Facts, attribute: &str) -> bool {
        let named = std::iter::once(&self.rdn)
            .chain(&self.attributes)
            .chain(self.keys.iter().flatten())
            .chain(&self.owned_mark)
            .chain(&self.end_date);
        self.attributes.is_empty()
            || named.into_iter().any(|name| facts.same(name, attribute))
            || facts.of_classes(&self.classes).must.contains(&facts.canonical(attribute))
    }

    /// Attributes that the connector alone writes: by the state, by the server, or never.
    pub fn is_own(&self, attribute: &str) -> bool {
        let own = [
            Some(PASSWORD),
            Some("objectClass"),
            Some(self.id.as_str()),
            self.version.as_deref(),
            self.member_of.as_deref(),
            self.lock.as_ref().map(|lock| lock.attribute.as_str()),
            self.status.as_ref().map(|status| status.attribute.as_str()),
        ];
        let of_active = if self.active { &active::OWN[..] } else { &[] };
        own.into_iter().flatten().chain(of_active.iter().copied()).any(|own| own.eq_ignore_ascii_case(attribute))
    }

    /// Whether the server fills the attribute in where a new entry does not have it.
    pub fn is_filled_in(&self, attribute: &str) -> bool {
        self.active && active::FILLED_IN.iter().any(|name| name.eq_ignore_ascii_case(attribute))
    }

    /// What an entry says of the state.
    pub fn state_of(&self, entry: &Entry) -> AccountState {
        let status = self.status.as_ref().and_then(|status| entry.text(&status.attribute));
        if !self.has_flags() {
            return self.state(self.lock.as_ref().and_then(|lock| entry.text(&lock.attribute)), status);
        }
        let said = status.zip(self.status.as_ref()).map(|(word, words)| words.state(word));
        match (entry.text(active::CONTROL).and_then(active::read_flags).map(active::is_disabled), said) {
            (None, _) | (Some(true), Some(AccountState::Enabled)) => AccountState::Unknown,
            (Some(true), Some(closed @ (AccountState::Blocked | AccountState::Expired))) => closed,
            (Some(true), _) => AccountState::Disabled,
            (Some(false), None | Some(AccountState::Enabled | AccountState::Unknown)) => AccountState::Enabled,
            (Some(false), Some(_)) => AccountState::Unknown,
        }
    }

    /// What the record says of the state. The lock decides; a status that contradicts it makes the state unknown, so that it
    /// is written again. A lock of another value is the directory's own (too many wrong passwords): it passes, and it is not
    /// ours to lift.
    pub fn state(&self, lock: Option<&str>, status: Option<&str>) -> AccountState {
        let said = status.zip(self.status.as_ref()).map(|(word, words)| words.state(word));
        let Some(setting) = &self.lock else {
            return said.unwrap_or(AccountState::Enabled);
        };
        match (lock == Some(setting.value.as_str()), said) {
            (true, Some(AccountState::Enabled)) | (false, Some(AccountState::Disabled)) => AccountState::Unknown,
            (false, Some(AccountState::Blocked | AccountState::Expired)) => AccountState::Unknown,
            (true, Some(closed @ (AccountState::Blocked | AccountState::Expired))) => closed,
            (true, _) => AccountState::Disabled,
            (false, _) => AccountState::Enabled,
        }
    }
}

impl StatusConfig {
    /// The word for a state.
    pub fn word(&self, state: AccountState) -> &str {
        match state {
            AccountState::Enabled => &self.enabled,
            AccountState::Blocked => self.blocked.as_deref().unwrap_or(&self.disabled),
            AccountState::Expired => self.expired.as_deref().unwrap_or(&self.disabled),
            AccountState::Disabled | AccountState::Unknown => &self.disabled,
        }
    }

    /// The state that a word stands for. Where one word stands for several, the plainest.
    fn state(&self, word: &str) -> AccountState {
        let is = |other: Option<&str>| other.is_some_and(|other| other.eq_ignore_ascii_case(word));
        if is(Some(&self.enabled)) {
            AccountState::Enabled
        } else if is(Some(&self.disabled)) {
            AccountState::Disabled
        } else if is(self.blocked.as_deref()) {
            AccountState::Blocked
        } else if is(self.expired.as_deref()) {
            AccountState::Expired
        } else {
            AccountState::Unknown
        }
    }
}

fn id(config: &AccountConfig, active: bool) -> String {
    if active { active::ID.to_owned() } else { config.id_attribute.clone() }
}

fn version(config: &AccountConfig, active: bool) -> Option<String> {
    if active { Some(active::VERSION.to_owned()) } else { config.version_attribute.clone() }
}

/// A type of entitlement's settings, by kind.
pub fn entitlement<'c>(config: &'c Config, kind: &Kind) -> Option<&'c EntitlementConfig> {
    config.entitlements.iter().find(|entitlement| entitlement.kind == kind.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod tests {
    use super::*;
    use serde_json::json;

    pub fn account() -> Shape {
        let config = json!({
            "base": "ou=people,dc=hosp,dc=example",
            "object_classes": ["inetOrgPerson", "clinPerson"],
            "owned_mark": "clinGatewayId",
            "lock": {},
            "status": { "attribute": "clinAccountStatus", "enabled": "active", "disabled": "ended", "blocked": "suspended" },
            "scramble_password": true,
            "end_date": "pwdEndTime",
        });
        Shape::account(&serde_json::from_value(config).unwrap(), false)
    }

    #[test]
    fn the_lock_decides_and_a_contradiction_is_no_state() {
        let (shape, locked) = (account(), Some("000001010000Z"));
        assert_eq!(shape.state(None, Some("active")), AccountState::Enabled);
        assert_eq!(shape.state(None, None), AccountState::Enabled);
        assert_eq!(shape.state(locked, Some("ended")), AccountState::Disabled);
        assert_eq!(shape.state(locked, Some("suspended")), AccountState::Blocked);
        assert_eq!(shape.state(locked, None), AccountState::Disabled);
        assert_eq!(shape.state(locked, Some("active")), AccountState::Unknown);
        assert_eq!(shape.state(None, Some("ended")), AccountState::Unknown);
    }

    #[test]
    fn a_lock_by_wrong_passwords_is_not_ours() {
        assert_eq!(account().state(Some("20260701120000Z"), Some("active")), AccountState::Enabled);
    }
}
