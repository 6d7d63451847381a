//! The settings of an LDAP target.

use connector_spi::{Class, SecretRef, ValueType};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An LDAP directory: where it is, how accounts look in it, and which groups are entitlements.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address: `ldaps://host[:636]` or `ldap://host[:389]`. `ldap` needs `starttls`, except to this machine itself.
    pub url: String,
    /// Turn a connection to `ldap://` into TLS before anything else is sent (RFC 4511, section 4.14).
    #[serde(default)]
    pub starttls: bool,
    /// PEM file with the certificates to trust instead of the platform's.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// The name that the server's certificate must carry; otherwise the host of `url`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// DANGER: takes any certificate, so anybody on the network can read the password and every entry. Every check says so.
    #[serde(default)]
    pub danger_accept_any_certificate: bool,
    /// DANGER: sends the password and every entry in clear text to a host that is not this machine. Every check says so.
    #[serde(default)]
    pub danger_cleartext: bool,
    /// Name of the entry that the gateway logs in as.
    pub bind_dn: String,
    /// Its password. Empty is refused: servers take an empty password for an anonymous login that succeeds (RFC 4513, 5.1.2).
    pub bind_password: SecretRef,

    /// It is an Active Directory (Windows or Samba). Then ids are `objectGUID`, an account is closed by the disabled bit of
    /// `userAccountControl`, passwords are `unicodePwd`, and an end date is `accountExpires`; `account.id_attribute`,
    /// `account.version_attribute`, `account.lock` and `canary` are not set.
    #[serde(default)]
    pub active_directory: bool,
    /// How accounts look.
    pub account: AccountConfig,
    /// Groups that accounts hold as entitlements, one table per type.
    #[serde(default, rename = "entitlement")]
    pub entitlements: Vec<EntitlementConfig>,
    /// Groups kept as objects of their own (kind `group`), for SCIM groups that are to appear in the directory.
    #[serde(default)]
    pub group: Option<GroupConfig>,
    /// An account of the connector's own on which it proves, once after each start, that locking and end dates take
    /// effect. Without it a closing is verified only where `account.lock.policy_dn` can be read.
    #[serde(default)]
    pub canary: Option<CanaryConfig>,

    /// Overrides of the classes of result codes, such as `{ 53 = "Forbidden" }`.
    #[serde(default)]
    pub result_codes: BTreeMap<u32, Class>,
    /// Connections kept open, 1 to 64.
    #[serde(default = "four")]
    pub connections: usize,
    /// Operations under way on each connection at a time, 1 to 256.
    #[serde(default = "sixteen")]
    pub in_flight: usize,
    /// Longest time for connecting, TLS and login, in milliseconds.
    #[serde(default = "five_seconds")]
    pub connect_timeout_ms: u64,
    /// Longest time for one operation, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub operation_timeout_ms: u64,
    /// Longest time between the first and the last octet of one message of the server, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub message_timeout_ms: u64,
    /// Longest message taken from the server, in octets. At most 16 MiB.
    #[serde(default = "sixteen_mib")]
    pub max_message: usize,
    /// Most entries asked for at a time when listing, 1 to 5,000.
    #[serde(default = "five_hundred")]
    pub page_size: u32,
}

/// How accounts look in the directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// The subtree in which accounts are looked for. Nothing outside it is read or written as an account.
    pub base: String,
    /// Where new accounts are made; otherwise `base`. The attribute `parent` of a single account goes before.
    #[serde(default)]
    pub parent: Option<String>,
    /// The attribute that names an account among its siblings, such as `uid` or `cn`.
    #[serde(default = "uid")]
    pub rdn: String,
    /// Object classes of a new account; the first is what accounts are recognised by.
    pub object_classes: Vec<String>,
    /// The attributes that the gateway reads and writes, besides those that other settings name. Otherwise all of the object
    /// classes: an `inetOrgPerson` may have a portrait, and nobody needs it here.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Sets of attributes by which one account is found. Otherwise the rdn attribute and the owned mark.
    #[serde(default)]
    pub natural_keys: Vec<Vec<String>>,
    /// The attribute that carries the gateway's own id, so that a create whose answer was lost is recognised.
    #[serde(default)]
    pub owned_mark: Option<String>,
    /// The attribute that identifies an entry for ever: `entryUUID` (RFC 4530), `nsUniqueId`.
    #[serde(default = "entry_uuid")]
    pub id_attribute: String,
    /// The attribute that changes with every change of an entry, where the server has one (OpenLDAP: `entryCSN`).
    #[serde(default = "entry_csn")]
    pub version_attribute: Option<String>,
    /// What locks an account.
    #[serde(default)]
    pub lock: Option<LockConfig>,
    /// An attribute that says in words what state an account is in.
    #[serde(default)]
    pub status: Option<StatusConfig>,
    /// Give an account a random password when it is closed, so that no old one works even without the lock.
    #[serde(default)]
    pub scramble_password: bool,
    /// The attribute (generalizedTime) after which the directory itself refuses a login, such as `pwdEndTime`.
    #[serde(default)]
    pub end_date: Option<String>,
    /// The attribute that the server keeps with an account's groups, such as `memberOf`. Only where it does so for every
    /// group below the entitlements' bases; otherwise groups are searched, which costs one search per type and account.
    #[serde(default)]
    pub member_of: Option<String>,
    /// Types of attributes that differ from what the server's schema says.
    #[serde(default)]
    pub types: BTreeMap<String, ValueType>,
    /// Allow entries to be deleted for good. Off by default: charts keep their authors.
    #[serde(default)]
    pub allow_delete: bool,
}

/// An attribute with one value that keeps an account from logging in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockConfig {
    /// Such as `pwdAccountLockedTime`.
    #[serde(default = "locked_time")]
    pub attribute: String,
    /// The value that locks until somebody unlocks (RFC draft-behera-ldap-password-policy: `000001010000Z`).
    #[serde(default = "locked_for_ever")]
    pub value: String,
    /// The password policy that makes the lock work; it is read, and must say `pwdLockout: TRUE`. Without such a policy the
    /// lock attribute does nothing at all.
    #[serde(default)]
    pub policy_dn: Option<String>,
}

/// The words that a status attribute uses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusConfig {
    /// Such as `clinAccountStatus`.
    pub attribute: String,
    /// Of an account in use.
    pub enabled: String,
    /// Of an account that is switched off.
    pub disabled: String,
    /// Of an account that is refused for a reason; otherwise the word of `disabled`.
    #[serde(default)]
    pub blocked: Option<String>,
    /// Of an account whose end date has passed; otherwise the word of `disabled`.
    #[serde(default)]
    pub expired: Option<String>,
}

/// A type of entitlement: the groups below one entry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementConfig {
    /// Its name in entitlements, such as `group`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The subtree that holds the groups.
    pub base: String,
    /// Their object class.
    #[serde(default = "group_of_names")]
    pub object_class: String,
    /// The attribute whose value is the entitlement's value; unique below `base`.
    #[serde(default = "cn")]
    pub value: String,
    /// The attribute that lists members by name: `member`, `uniqueMember` of `groupOfUniqueNames`, `memberUid` of
    /// `posixGroup`.
    #[serde(default = "member")]
    pub member: String,
    /// The attribute of the account whose value stands in `member`, such as `uid` for `posixGroup`; otherwise members are
    /// listed by the account's distinguished name.
    #[serde(default)]
    pub member_value: Option<String>,
    /// The member that keeps a group from being empty (`groupOfNames` may not be). Never removed, never reported.
    #[serde(default)]
    pub placeholder: Option<String>,
}

/// Groups that the gateway makes and keeps as objects.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// The subtree that holds them. It must not overlap with an entitlement's: a group is managed in one way.
    pub base: String,
    /// The attribute that names a group.
    #[serde(default = "cn")]
    pub rdn: String,
    /// Object classes of a new group.
    #[serde(default = "group_classes")]
    pub object_classes: Vec<String>,
    /// The attribute that lists members by name. Its values are ids of accounts on our side.
    #[serde(default = "member")]
    pub member: String,
    /// The member that keeps a group from being empty. Never removed, never reported.
    #[serde(default)]
    pub placeholder: Option<String>,
    /// The attribute that carries the gateway's own id.
    #[serde(default)]
    pub owned_mark: Option<String>,
    /// Allow groups to be deleted.
    #[serde(default)]
    pub allow_delete: bool,
}

/// The connector's own account for proofs. It is made where it is missing, and left locked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryConfig {
    /// Its name, outside `account.base`, so that no listing takes it for an orphan.
    pub dn: String,
    /// Its object classes.
    #[serde(default = "canary_classes")]
    pub object_classes: Vec<String>,
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `ldaps`, as opposed to `ldap`.
    pub tls: bool,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// Reads `ldap[s]://host[:port][/]`.
    pub fn parse(url: &str) -> Option<Self> {
        let (tls, rest) = match url.split_once("://")? {
            (scheme, rest) if scheme.eq_ignore_ascii_case("ldaps") => (true, rest),
            (scheme, rest) if scheme.eq_ignore_ascii_case("ldap") => (false, rest),
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if port.is_empty() => {
                if tls {
                    636
                } else {
                    389
                }
            }
            None => return None,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        (!host.is_empty() && host.chars().all(plain)).then(|| Self { tls, host: host.to_owned(), port })
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl AccountConfig {
    /// Where new accounts are made.
    pub fn parent(&self) -> &str {
        self.parent.as_deref().unwrap_or(&self.base)
    }

    /// The natural keys, defaults filled in.
    pub fn keys(&self) -> Vec<Vec<String>> {
        if !self.natural_keys.is_empty() {
            return self.natural_keys.clone();
        }
        std::iter::once(vec![self.rdn.clone()]).chain(self.owned_mark.iter().map(|mark| vec![mark.clone()])).collect()
    }
}

fn uid() -> String {
    "uid".into()
}
fn cn() -> String {
    "cn".into()
}
fn member() -> String {
    "member".into()
}
fn group_of_names() -> String {
    "groupOfNames".into()
}
fn group_classes() -> Vec<String> {
    vec![group_of_names()]
}
fn canary_classes() -> Vec<String> {
    vec!["inetOrgPerson".into()]
}
fn entry_uuid() -> String {
    "entryUUID".into()
}
fn entry_csn() -> Option<String> {
    Some("entryCSN".into())
}
fn locked_time() -> String {
    "pwdAccountLockedTime".into()
}
fn locked_for_ever() -> String {
    "000001010000Z".into()
}
fn four() -> usize {
    4
}
fn sixteen() -> usize {
    16
}
fn five_seconds() -> u64 {
    5_000
}
fn ten_seconds() -> u64 {
    10_000
}
fn sixteen_mib() -> usize {
    16 << 20
}
fn five_hundred() -> u32 {
    500
}
