//! What the settings alone tell of a directory, before it is asked for its schema.

use crate::{
    active,
    config::Config,
    shape::{ACCOUNT, Shape},
};
use connector_spi::{AccountState, Declared, DeclaredKind, ValueType};
use std::collections::BTreeMap;

/// The types that the settings name, the end date's among them, and the states for which there is a word: an account that is
/// closed in another way is read as disabled.
pub fn of(config: &Config) -> Declared {
    let shape = Shape::account(&config.account, config.active_directory);
    let ends = shape.end_date.iter().map(|name| (name.clone(), ValueType::Timestamp));
    let ticks = shape.active.then(|| (active::END.to_owned(), ValueType::Timestamp));
    let types = ends.chain(ticks).chain(shape.types.clone());
    let status = shape.status.as_ref();
    let account = DeclaredKind::of(types, |state| {
        let word = match state {
            AccountState::Blocked => status.is_some_and(|status| status.blocked.is_some()),
            AccountState::Expired => status.is_some_and(|status| status.expired.is_some()),
            AccountState::Disabled | AccountState::Enabled | AccountState::Unknown => true,
        };
        word && shape.closes()
    });
    Declared { kinds: BTreeMap::from([(ACCOUNT.into(), account)]), ..Declared::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn told(active_directory: bool, account: serde_json::Value) -> DeclaredKind {
        let mut account = account;
        account["base"] = json!("ou=people,dc=hosp,dc=example");
        account["object_classes"] = json!(["inetOrgPerson"]);
        let config = json!({
            "url": "ldaps://dc1.hosp.example", "bind_dn": "cn=gateway", "bind_password": {"env": "LDAP"},
            "active_directory": active_directory, "account": account,
        });
        of(&serde_json::from_value(config).unwrap()).kinds.remove(&ACCOUNT.into()).unwrap()
    }

    #[test]
    fn an_end_date_is_an_instant_whatever_the_directory_keeps_it_in() {
        assert_eq!(told(true, json!({})).types.get("accountExpires"), Some(&ValueType::Timestamp));
        assert_eq!(told(false, json!({"end_date": "pwdEndTime"})).types.get("pwdEndTime"), Some(&ValueType::Timestamp));
    }

    #[test]
    fn a_state_without_a_word_cannot_be_chosen() {
        let words = json!({"attribute": "status", "enabled": "active", "disabled": "ended", "blocked": "held"});
        let both = Some([AccountState::Disabled, AccountState::Blocked].into());
        assert_eq!(told(false, json!({"lock": {}, "status": words})).closes_to, both);
        assert_eq!(told(true, json!({})).closes_to, Some([AccountState::Disabled].into()));
        assert_eq!(told(false, json!({})).closes_to, Some(BTreeSet::new()));
    }
}
