//! The settings of a SCIM target.

use crate::path::Path;
use connector_http::HttpConfig;
use connector_spi::{Class, ConfigIssue};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

/// A SCIM 2.0 server: where it is, which attributes the gateway keeps in it, and what it cannot do although it says so.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The major version of the connector contract that the file is written for: `"1"`.
    #[serde(default = "one")]
    pub spi: String,
    /// How the server is reached. `url` is the base address of SCIM, such as `https://host/scim/v2`.
    pub http: HttpConfig,
    /// How accounts look.
    #[serde(default)]
    pub account: AccountConfig,
    /// What the gateway does with groups.
    #[serde(default)]
    pub groups: GroupConfig,
    /// What is taken away from what the server says of itself.
    #[serde(default)]
    pub without: Without,
    /// How records are looked up where the server's filters are fewer than those of RFC 7644.
    #[serde(default)]
    pub search: SearchConfig,
    /// Most changes of membership in one request, 1 to 10,000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_member_changes: u32,
    /// How a member is taken out of a group by PATCH.
    #[serde(default)]
    pub member_removal: MemberRemoval,
    /// Most resources asked for at a time when listing, 2 to 1,000; the server's own limit holds where it is lower.
    #[serde(default = "hundred")]
    #[schemars(range(min = 2, max = 1000))]
    pub page_size: u32,
    /// Milliseconds until a write can be read back, for a server that needs some.
    #[serde(default)]
    pub read_after_write_ms: Option<u32>,
    /// The vendor promises that an account with `active: false` cannot log in. SCIM itself does not say so, and without
    /// this a closing stays unverified.
    #[serde(default)]
    pub inactive_refuses_login: bool,
    /// The `detail` of an error holds no personal data and may be shown to operators; the values that were sent are taken
    /// out.
    #[serde(default)]
    pub quote_detail: bool,
    /// What refusals mean where that differs from RFC 7644, section 3.12. The first that fits decides.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
}

/// How accounts look.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountConfig {
    /// The attributes that the gateway reads and writes, as SCIM paths. One that the server's schema does not have is left
    /// out, and `check` says so.
    pub attributes: Vec<String>,
    /// Attributes without which the server refuses an account although its schema does not say so.
    pub required: Vec<String>,
    /// Sets of attributes by which one account is found.
    pub natural_keys: Vec<Vec<String>>,
    /// The attribute that carries the gateway's own id, so that a create whose answer was lost is recognised.
    pub owned_mark: String,
    /// The attribute by whose instant the server itself ends access, so that it ends while the gateway is down.
    pub end_date: Option<String>,
    /// Look for an account by each natural key that the server does not keep unique, before one is made: for a server that would
    /// take a second account of the same person. Costs a look-up for each create; without it, only where no key is unique.
    pub look_first: bool,
    /// Lists of the User that are entitlements: `roles` makes the type `role`, `entitlements` the type `entitlement`.
    pub entitlements: Vec<UserList>,
    /// Where an account's groups are read. Otherwise `user` where the server's User has `groups`, else `groups`.
    pub memberships: Option<Memberships>,
    /// An account that gets groups is made inactive and activated last. Switch it off where the server cannot do that.
    pub create_inactive: bool,
    /// A list or search answers with whole resources. Switch it off where it leaves attributes out: each is then read by
    /// its id.
    pub lists_whole: bool,
    /// Allow accounts to be deleted for good. Off by default: charts keep their authors.
    pub allow_delete: bool,
}

/// A list of the User that holds entitlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserList {
    /// `roles`.
    Roles,
    /// `entitlements`.
    Entitlements,
}

impl UserList {
    /// The attribute.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            UserList::Roles => "roles",
            UserList::Entitlements => "entitlements",
        }
    }

    /// The type of entitlement.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            UserList::Roles => "role",
            UserList::Entitlements => "entitlement",
        }
    }
}

/// Where an account's groups are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Memberships {
    /// In the User's own `groups`. Memberships through another group are left out: they are not ours to end.
    User,
    /// By searching `/Groups` for the member, one search for each account.
    Groups,
}

/// What the gateway does with groups.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// As what the gateway manages them.
    pub manage: Manage,
    /// The attributes that the gateway reads and writes, besides the members.
    pub attributes: Vec<String>,
    /// Sets of attributes by which one group is found.
    pub natural_keys: Vec<Vec<String>>,
    /// The server shows a group's members. Where it does not, members can be added and taken, but not compared.
    pub members_shown: bool,
    /// Allow groups to be deleted.
    pub allow_delete: bool,
}

/// As what groups are managed. One group is never managed in both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Manage {
    /// Entitlements of type `group` that accounts hold; the groups themselves are somebody else's.
    Entitlements,
    /// Objects that the gateway makes, names, fills and ends.
    Objects,
    /// Not at all.
    Nothing,
}

/// What is taken away from what the server says of itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Without {
    /// Do not use PATCH.
    pub patch: bool,
    /// Do not use PUT. RFC 7644 makes it compulsory, so no server says that it has none.
    pub put: bool,
    /// Do not send `If-Match`.
    pub etag: bool,
    /// Do not page by cursor.
    pub cursor: bool,
    /// Do not page by index. Then the server is asked by cursor, whether it speaks of cursors or not.
    pub index: bool,
    /// Do not send `excludedAttributes`.
    pub excluded_attributes: bool,
}

/// How records are looked up where the server's filters are fewer than those of RFC 7644. A server cannot say so of itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// The comparisons that the server knows, and no others: one of them is asked at a time, and the whole key is compared on
    /// this side. Without this list, every attribute with `eq`, joined by `and`.
    pub filters: Option<Vec<FilterRule>>,
    /// Most pages that one look-up may read where nothing of a key can be asked for: then every record is read and compared on
    /// this side, and a list that is longer is a failure, never "nobody". 0 to 1,000; with 0 such a key is not looked up by.
    #[schemars(range(max = 1000))]
    pub scan_pages: u32,
}

/// What the server can compare one attribute by.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRule {
    /// The attribute as it stands in a filter: `displayName`, `emails.value`.
    pub attribute: String,
    /// The operators that it takes.
    pub operators: Vec<Comparison>,
}

/// An operator that a look-up can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Starts with.
    Sw,
}

/// How a member is taken out of a group by PATCH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberRemoval {
    /// `remove` at `members[value eq "…"]` (RFC 7644, section 3.5.2.2).
    #[default]
    Filter,
    /// `remove` at `members` with a list of values, which some servers ask for.
    Value,
}

/// What one sort of refusal means. All conditions that are given must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The status.
    #[serde(default)]
    pub status: Option<u16>,
    /// The `scimType`.
    #[serde(default)]
    pub scim_type: Option<String>,
    /// The class.
    #[serde(deserialize_with = "known_class")]
    pub class: Class,
}

impl Default for AccountConfig {
    fn default() -> Self {
        let enterprise = |name: &str| format!("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:{name}");
        let mut attributes: Vec<String> = [
            "userName",
            "externalId",
            "displayName",
            "name.givenName",
            "name.familyName",
            "title",
            "emails[type eq \"work\"].value",
            "phoneNumbers[type eq \"work\"].value",
        ]
        .map(str::to_owned)
        .to_vec();
        attributes.extend(["employeeNumber", "department"].map(enterprise));
        Self {
            attributes,
            required: Vec::new(),
            natural_keys: vec![vec!["externalId".to_owned()], vec!["userName".to_owned()]],
            owned_mark: "externalId".to_owned(),
            end_date: None,
            look_first: false,
            entitlements: vec![UserList::Roles, UserList::Entitlements],
            memberships: None,
            create_inactive: true,
            lists_whole: true,
            allow_delete: false,
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            manage: Manage::Entitlements,
            attributes: vec!["displayName".to_owned(), "externalId".to_owned()],
            natural_keys: vec![vec!["externalId".to_owned()], vec!["displayName".to_owned()]],
            members_shown: true,
            allow_delete: false,
        }
    }
}

impl Config {
    /// What is wrong with the settings, as far as can be told without a network.
    #[must_use]
    pub fn issues(&self) -> Vec<ConfigIssue> {
        let mut found: Vec<ConfigIssue> = self
            .http
            .issues()
            .into_iter()
            .map(|issue| ConfigIssue { pointer: format!("/http{}", issue.pointer), ..issue })
            .collect();
        let mut say = |pointer: String, message: String, hint: Option<&str>| {
            found.push(ConfigIssue { pointer, message, hint: hint.map(str::to_owned) });
        };
        if self.spi != "1" {
            say("/spi".to_owned(), "this gateway speaks version 1 of the contract".to_owned(), None);
        }
        if !(1..=10_000).contains(&self.max_member_changes) {
            say("/max_member_changes".to_owned(), "must be from 1 to 10000".to_owned(), None);
        }
        if !(2..=1000).contains(&self.page_size) {
            say("/page_size".to_owned(), "must be from 2 to 1000".to_owned(), None);
        }
        if self.search.scan_pages > 1000 {
            say("/search/scan_pages".to_owned(), "must be at most 1000".to_owned(), None);
        }
        if self.search.scan_pages > 0 && !self.account.lists_whole {
            let hint = "each account of every page would be read by its id";
            let message = "must be 0 where lists leave attributes out".to_owned();
            say("/search/scan_pages".to_owned(), message, Some(hint));
        }
        for (at, rule) in self.search.filters.iter().flatten().enumerate() {
            match Path::parse(&rule.attribute) {
                Err(why) => say(format!("/search/filters/{at}/attribute"), why, None),
                Ok(path) if path.pick.is_some() => {
                    let message = "names an attribute as it stands in a filter: without an element".to_owned();
                    say(format!("/search/filters/{at}/attribute"), message, None);
                }
                Ok(_) => {}
            }
            if rule.operators.is_empty() {
                say(format!("/search/filters/{at}/operators"), "at least one is needed".to_owned(), None);
            }
        }
        if self.without.patch && self.without.put {
            say("/without".to_owned(), "without PATCH and PUT nothing can be changed".to_owned(), None);
        }
        if self.without.cursor && self.without.index {
            say("/without".to_owned(), "without cursor and index nothing can be listed".to_owned(), None);
        }
        if self.without.patch && !self.groups.members_shown && self.groups.manage != Manage::Nothing {
            let hint = "a group is then written whole, and its members would be lost";
            say("/groups/members_shown".to_owned(), "must be true without PATCH".to_owned(), Some(hint));
        }
        let lists = [
            ("/account", &self.account.attributes, &self.account.natural_keys),
            ("/groups", &self.groups.attributes, &self.groups.natural_keys),
        ];
        for (table, attributes, keys) in lists {
            for (at, text) in attributes.iter().enumerate() {
                let reserved =
                    ["id", "meta", "schemas", "active", "password", "members", "groups", "roles", "entitlements"];
                match Path::parse(text) {
                    Err(why) => say(format!("{table}/attributes/{at}"), why, None),
                    Ok(path)
                        if path.urn.is_none() && reserved.iter().any(|name| name.eq_ignore_ascii_case(&path.name)) =>
                    {
                        let hint = "state, groups, roles and entitlements are not attributes";
                        say(
                            format!("{table}/attributes/{at}"),
                            "the connector keeps this one itself".to_owned(),
                            Some(hint),
                        );
                    }
                    Ok(_) => {}
                }
            }
            for (at, key) in keys.iter().enumerate() {
                if key.is_empty() || key.iter().any(|name| !attributes.contains(name)) {
                    let message = "names attributes that are not among the attributes".to_owned();
                    say(format!("{table}/natural_keys/{at}"), message, None);
                }
            }
            if keys.is_empty() {
                say(format!("{table}/natural_keys"), "at least one is needed".to_owned(), None);
            }
        }
        for (at, key) in self.account.natural_keys.iter().enumerate() {
            if !key.is_empty() && key.iter().all(|name| name.eq_ignore_ascii_case("displayName")) {
                let hint = "namesakes have one display name";
                let message = "nobody is known by a display name alone".to_owned();
                say(format!("/account/natural_keys/{at}"), message, Some(hint));
            }
        }
        if self.account.end_date.iter().any(|name| !self.account.attributes.contains(name)) {
            say("/account/end_date".to_owned(), "is not among the attributes".to_owned(), None);
        }
        for (at, name) in self.account.required.iter().enumerate() {
            if !self.account.attributes.contains(name) {
                let message = "is not among the attributes".to_owned();
                say(format!("/account/required/{at}"), message, None);
            }
        }
        if !self.account.attributes.contains(&self.account.owned_mark) {
            let message = "is not among the attributes".to_owned();
            say("/account/owned_mark".to_owned(), message, None);
        }
        found
    }
}

// On the wire an unknown class has a meaning (a newer plugin); in a file it is a slip of the pen.
fn known_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Class, D::Error> {
    let name = String::deserialize(deserializer)?;
    Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
        let names: Vec<_> = Class::ALL.into_iter().map(Class::name).collect();
        D::Error::custom(format!("there is no class {name}; one of {}", names.join(", ")))
    })
}

fn one() -> String {
    "1".to_owned()
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn issues(more: Json) -> Vec<String> {
        let mut config = json!({"http": {"url": "https://scim.example/v2"}});
        if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        let config: Config = serde_json::from_value(config).unwrap();
        config.issues().into_iter().map(|issue| issue.pointer).collect()
    }

    #[test]
    fn an_address_is_enough() {
        assert_eq!(issues(json!({})), [""; 0]);
    }

    #[test]
    fn what_cannot_work_is_named_by_its_place() {
        assert_eq!(issues(json!({"without": {"patch": true, "put": true}})), ["/without"]);
        assert_eq!(
            issues(json!({"without": {"patch": true}, "groups": {"members_shown": false}})),
            ["/groups/members_shown"]
        );
        let account = json!({"attributes": ["userName", "a b", "active"], "natural_keys": [["userName"], ["nope"]]});
        assert_eq!(
            issues(json!({"account": account})),
            ["/account/attributes/1", "/account/attributes/2", "/account/natural_keys/1", "/account/owned_mark"]
        );
        assert_eq!(issues(json!({"max_member_changes": 0, "page_size": 1})), ["/max_member_changes", "/page_size"]);
        let search = json!({"scan_pages": 1001, "filters": [
            {"attribute": "emails[type eq \"work\"].value", "operators": ["sw"]}, {"attribute": "displayName", "operators": []},
        ]});
        assert_eq!(
            issues(json!({"search": search})),
            ["/search/scan_pages", "/search/filters/0/attribute", "/search/filters/1/operators"]
        );
        let partial = json!({"account": {"lists_whole": false}, "search": {"scan_pages": 1}});
        assert_eq!(issues(partial), ["/search/scan_pages"]);
    }

    #[test]
    fn nobody_is_known_by_a_display_name_alone() {
        let keys = |keys: Json| issues(json!({"account": {"natural_keys": keys}}));
        assert_eq!(keys(json!([["userName"], ["displayName"]])), ["/account/natural_keys/1"]);
        assert_eq!(keys(json!([["displayName", "externalId"]])), [""; 0]);
    }
}
