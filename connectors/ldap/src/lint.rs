//! What is wrong with the settings, as far as can be told without a network.

use crate::{
    config::{Address, Config},
    dn,
};
use connector_spi::ConfigIssue;

impl Config {
    /// What is wrong, as far as can be told without a network.
    pub fn issues(&self) -> Vec<ConfigIssue> {
        let mut found = Vec::new();
        let mut say = |pointer: String, message: &str, hint: Option<&str>| {
            found.push(ConfigIssue { pointer, message: message.to_owned(), hint: hint.map(str::to_owned) });
        };
        match Address::parse(&self.url) {
            None => say("/url".into(), "is not ldap://host[:port] or ldaps://host[:port]", None),
            Some(at) if at.tls && self.starttls => {
                say("/starttls".into(), "makes no sense with ldaps://", Some("use one of them"));
            }
            Some(at) if !at.tls && !self.starttls && !at.is_loopback() && !self.danger_cleartext => {
                say("/url".into(), "would send the password in clear text", Some("use ldaps:// or starttls = true"));
            }
            Some(_) => {}
        }
        if self.danger_accept_any_certificate {
            say("/danger_accept_any_certificate".into(), "takes any server for the directory", Some("use ca_file"));
        }
        let ranges = [
            ("/connections", self.connections, 1, 64),
            ("/in_flight", self.in_flight, 1, 256),
            ("/max_message", self.max_message, 4_096, 16 << 20),
            ("/page_size", usize::try_from(self.page_size).unwrap_or(usize::MAX), 1, 5_000),
        ];
        for (pointer, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                say(pointer.into(), &format!("must lie between {least} and {most}"), None);
            }
        }
        for (pointer, value) in [
            ("/connect_timeout_ms", self.connect_timeout_ms),
            ("/operation_timeout_ms", self.operation_timeout_ms),
            ("/message_timeout_ms", self.message_timeout_ms),
        ] {
            if !(10..=600_000).contains(&value) {
                say(pointer.into(), "must lie between 10 ms and 10 minutes", None);
            }
        }
        for (pointer, name) in self.names() {
            if !dn::is_name(name) {
                say(pointer, "is not a distinguished name (RFC 4514)", None);
            }
        }
        for (pointer, name) in self.attributes() {
            if !dn::is_attribute(name) {
                say(pointer, "is not an attribute or class name (RFC 4512, 2.5)", None);
            }
        }
        if self.active_directory {
            let taken = [
                ("/account/lock", self.account.lock.is_some()),
                ("/account/member_of", self.account.member_of.is_some()),
                ("/canary", self.canary.is_some()),
                ("/account/id_attribute", self.account.id_attribute != "entryUUID"),
                ("/account/version_attribute", self.account.version_attribute.as_deref() != Some("entryCSN")),
            ];
            for (pointer, set) in taken {
                if set {
                    say(pointer.into(), "is not set for an Active Directory, which has its own", None);
                }
            }
            if Address::parse(&self.url).is_some_and(|at| !at.tls) && !self.starttls {
                let hint = Some("use ldaps:// or starttls = true");
                say("/url".into(), "an Active Directory takes passwords and simple logins over TLS only", hint);
            }
        }
        if self.account.object_classes.is_empty() {
            say("/account/object_classes".into(), "needs at least one class", None);
        }
        if !dn::is_under(self.account.parent(), &self.account.base) {
            say("/account/parent".into(), "lies outside account.base", None);
        }
        if self.canary.as_ref().is_some_and(|canary| dn::is_under(&canary.dn, &self.account.base)) {
            say("/canary/dn".into(), "lies inside account.base and would be listed as an account", None);
        }
        for (index, entitlement) in self.entitlements.iter().enumerate() {
            let overlaps = |base: &str| dn::is_under(base, &entitlement.base) || dn::is_under(&entitlement.base, base);
            if self.group.as_ref().is_some_and(|group| overlaps(&group.base)) {
                let hint = Some("manage a group as object or as entitlement, never both");
                say(format!("/entitlement/{index}/base"), "overlaps with group.base", hint);
            }
            let again = self.entitlements.iter().take(index).any(|other| other.kind == entitlement.kind);
            if again || matches!(entitlement.kind.as_str(), "account" | "") {
                say(format!("/entitlement/{index}/type"), "is taken", None);
            }
            if self.group.is_some() && entitlement.kind == "group" {
                say(format!("/entitlement/{index}/type"), "is the kind of groups kept as objects", None);
            }
        }
        found
    }

    fn names(&self) -> Vec<(String, &str)> {
        let mut names =
            vec![("/bind_dn".to_owned(), self.bind_dn.as_str()), ("/account/base".into(), &self.account.base)];
        names.extend(self.account.parent.as_deref().map(|name| ("/account/parent".to_owned(), name)));
        let policy = self.account.lock.as_ref().and_then(|lock| lock.policy_dn.as_deref());
        names.extend(policy.map(|name| ("/account/lock/policy_dn".to_owned(), name)));
        for (index, entitlement) in self.entitlements.iter().enumerate() {
            names.push((format!("/entitlement/{index}/base"), &entitlement.base));
            names.extend(entitlement.placeholder.as_deref().map(|n| (format!("/entitlement/{index}/placeholder"), n)));
        }
        if let Some(group) = &self.group {
            names.push(("/group/base".into(), &group.base));
            names.extend(group.placeholder.as_deref().map(|name| ("/group/placeholder".to_owned(), name)));
        }
        names.extend(self.canary.as_ref().map(|canary| ("/canary/dn".to_owned(), canary.dn.as_str())));
        names
    }

    fn attributes(&self) -> Vec<(String, &str)> {
        let account = &self.account;
        let mut names = vec![
            ("/account/rdn".to_owned(), account.rdn.as_str()),
            ("/account/id_attribute".into(), &account.id_attribute),
        ];
        for (pointer, name) in [
            ("/account/owned_mark", &account.owned_mark),
            ("/account/version_attribute", &account.version_attribute),
            ("/account/end_date", &account.end_date),
            ("/account/member_of", &account.member_of),
        ] {
            names.extend(name.as_deref().map(|name| (pointer.to_owned(), name)));
        }
        names.extend(account.lock.as_ref().map(|lock| ("/account/lock/attribute".to_owned(), lock.attribute.as_str())));
        let status = account.status.as_ref();
        names.extend(status.map(|status| ("/account/status/attribute".to_owned(), status.attribute.as_str())));
        names.extend(account.object_classes.iter().map(|name| ("/account/object_classes".to_owned(), name.as_str())));
        names.extend(
            account.natural_keys.iter().flatten().map(|name| ("/account/natural_keys".to_owned(), name.as_str())),
        );
        for (index, entitlement) in self.entitlements.iter().enumerate() {
            for (key, name) in [
                ("object_class", &entitlement.object_class),
                ("value", &entitlement.value),
                ("member", &entitlement.member),
                ("member_value", entitlement.member_value.as_ref().unwrap_or(&entitlement.member)),
            ] {
                names.push((format!("/entitlement/{index}/{key}"), name));
            }
        }
        if let Some(group) = &self.group {
            names.extend([("/group/rdn".to_owned(), group.rdn.as_str()), ("/group/member".into(), &group.member)]);
            names.extend(group.object_classes.iter().map(|name| ("/group/object_classes".to_owned(), name.as_str())));
            names.extend(group.owned_mark.as_deref().map(|name| ("/group/owned_mark".to_owned(), name)));
        }
        names
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::LockConfig;
    use serde_json::json;

    fn config(change: impl FnOnce(&mut serde_json::Value)) -> Config {
        let mut settings = json!({
            "url": "ldaps://directory.example",
            "bind_dn": "cn=gateway,dc=hosp,dc=example",
            "bind_password": { "env": "PASSWORD" },
            "account": { "base": "ou=people,dc=hosp,dc=example", "object_classes": ["inetOrgPerson"] },
            "entitlement": [{ "type": "role", "base": "ou=entitlements,dc=hosp,dc=example" }],
        });
        change(&mut settings);
        serde_json::from_value(settings).unwrap()
    }

    fn pointers(config: &Config) -> Vec<String> {
        config.issues().into_iter().map(|issue| issue.pointer).collect()
    }

    #[test]
    fn a_plain_configuration_is_sound() {
        assert_eq!(config(|_| {}).issues(), vec![]);
    }

    #[test]
    fn addresses_are_read() {
        let at = |url| Address::parse(url).map(|at| (at.tls, at.host, at.port));
        assert_eq!(at("ldaps://dc1.hosp.example"), Some((true, "dc1.hosp.example".into(), 636)));
        assert_eq!(at("ldap://[::1]:3890/"), Some((false, "::1".into(), 3890)));
        for url in ["http://a", "ldap://", "ldap://a:x", "ldap://a b", "ldap://user@a", "a"] {
            assert_eq!(at(url), None, "{url}");
        }
    }

    #[test]
    fn clear_text_needs_a_loud_switch() {
        let cleartext = config(|c| c["url"] = json!("ldap://directory.example"));
        assert_eq!(pointers(&cleartext), ["/url"]);
        assert!(pointers(&config(|c| c["url"] = json!("ldap://127.0.0.1:389"))).is_empty());
    }

    #[test]
    fn an_issue_names_its_setting() {
        let bad = config(|c| {
            c["account"]["parent"] = json!("ou=elsewhere,dc=example");
            c["account"]["rdn"] = json!("uid)(x");
            c["in_flight"] = json!(0);
            c["group"] = json!({ "base": "ou=inner,ou=entitlements,dc=hosp,dc=example" });
        });
        assert_eq!(pointers(&bad), ["/in_flight", "/account/rdn", "/account/parent", "/entitlement/0/base"]);
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = serde_json::from_value::<LockConfig>(json!({ "atribute": "x" })).unwrap_err();
        assert!(error.to_string().contains("atribute"));
    }
}
