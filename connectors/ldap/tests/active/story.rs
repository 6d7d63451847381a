//! What an Active Directory does in its own way.

use super::*;
use connector_spi::Secret;
use fixtures::servers::samba::SUFFIX;

const PASSWORD: &str = "S0me-test-Password!";

pub async fn a_plain_login_is_refused_on_the_clear_port(domain: &Domain) {
    let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{}", domain.samba.plain)).await.unwrap();
    tokio::spawn(connection.drive());
    assert_eq!(ldap.simple_bind(ADMIN, ADMIN_PASSWORD).await.unwrap().rc, 8);
    let mut clear = config(&domain.samba, domain.samba.plain.port());
    clear["url"] = json!(format!("ldap://{}", domain.samba.plain));
    assert_eq!(open(clear, &domain.host).await.err().unwrap().class, Class::Config);
    let health = domain.connector.check(&domain.cx()).await.unwrap();
    assert!(health.server.unwrap().starts_with("Samba"));
    assert_eq!(health.warnings, [""; 0]);
}

pub async fn an_account_goes_there_and_back(domain: &Domain) {
    // given an account with an end
    let mut attrs = person("there");
    let end: jiff::Timestamp = "2031-09-21T04:00:00Z".parse().unwrap();
    attrs.insert("accountExpires".into(), vec![end.into()]);
    attrs.insert("department".into(), vec!["MED-10501".into()]);
    let made = domain.connector.create(&domain.cx(), &account(), &attrs, AccountState::Enabled, &[]).await.unwrap();

    // then it is read back by its id and by each key
    let read = domain.read(&made.id).await;
    assert_eq!(read.state, AccountState::Enabled);
    for (name, values) in &attrs {
        assert_eq!(read.attrs[name], *values, "{name}");
    }
    assert_eq!(made.id.as_str().len(), 36);
    assert_eq!(domain.values(&dn("there"), "accountExpires").await, ["135922032000000000"]);
    for key in ["sAMAccountName", "employeeNumber", "info"] {
        let key = BTreeMap::from([(key.to_owned(), attrs[key][0].clone())]);
        let found = domain.connector.find(&domain.cx(), &account(), &key).await.unwrap();
        assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&made.id]);
    }
    // and an end that is cleared is none
    domain.update(&made.id, &set("accountExpires", Delta::Clear)).await.unwrap();
    assert_eq!(domain.read(&made.id).await.attrs.get("accountExpires"), None);
}

pub async fn one_bit_closes_and_opens_and_the_others_stay(domain: &Domain) {
    // given an account whose password never expires: a flag of somebody else's
    let id = domain.make("flags").await;
    domain.set(&dn("flags"), "userAccountControl", "66048").await;
    let version = domain.read(&id).await.version;

    // when it is closed twice and opened twice
    for (state, flags) in [(AccountState::Disabled, "66050"), (AccountState::Enabled, "66048")] {
        for _ in 0..2 {
            domain.update(&id, &to_state(state)).await.unwrap();
            // then its own bit alone has changed
            assert_eq!(domain.values(&dn("flags"), "userAccountControl").await, [flags]);
            assert_eq!(domain.read(&id).await.state, state);
        }
    }
    assert_ne!(domain.read(&id).await.version, version);
}

pub async fn a_closed_account_is_refused_with_533_and_an_ended_one_with_701(domain: &Domain) {
    let id = domain.make("closed").await;
    let passwords = domain.connector.passwords().unwrap();
    let set_password = async || {
        let password = Secret::new(PASSWORD.into());
        passwords.set_password(&domain.cx(), &account(), &id, &password).await.unwrap();
    };
    set_password().await;
    assert_eq!(domain.login(&dn("closed"), PASSWORD).await.0, 0);
    let effect = domain.connector.effect().unwrap();
    assert_eq!(effect.effective(&domain.cx(), &account(), &id).await.unwrap().can_login, Some(true));

    // when it is closed, its old password is no more, and with a new one the login is refused all the same
    domain.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    assert_eq!(effect.effective(&domain.cx(), &account(), &id).await.unwrap().can_login, Some(false));
    set_password().await;
    let (code, words) = domain.login(&dn("closed"), PASSWORD).await;
    assert!(code == 49 && words.contains("533"), "{code} {words}");

    // and one that is open and has ended is refused too
    domain.update(&id, &to_state(AccountState::Enabled)).await.unwrap();
    let past: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    domain.update(&id, &set("accountExpires", Delta::Set(vec![past.into()]))).await.unwrap();
    let (code, words) = domain.login(&dn("closed"), PASSWORD).await;
    assert!(code == 49 && words.contains("701"), "{code} {words}");
    assert_eq!(effect.effective(&domain.cx(), &account(), &id).await.unwrap().can_login, None);
}

pub async fn a_password_goes_over_tls_and_is_held_to_the_policy(domain: &Domain) {
    let id = domain.make("password").await;
    let passwords = domain.connector.passwords().unwrap();
    let error = passwords.set_password(&domain.cx(), &account(), &id, &Secret::new("short".into())).await.unwrap_err();
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("password")));
    assert!(!error.to_string().contains("short"));
    passwords.set_password(&domain.cx(), &account(), &id, &Secret::new("Grüße-12-Example!".into())).await.unwrap();
    assert_eq!(domain.login(&dn("password"), "Grüße-12-Example!").await.0, 0);
}

pub async fn an_account_without_a_password_is_not_enabled(domain: &Domain) {
    // given somebody else's account without a password
    let name = dn("bare");
    let attributes = vec![
        ("objectClass", HashSet::from(["user"])),
        ("sAMAccountName", HashSet::from(["bare"])),
        ("userAccountControl", HashSet::from(["514"])),
    ];
    domain.admin().await.add(&name, attributes).await.unwrap().success().unwrap();
    let key = BTreeMap::from([("sAMAccountName".to_owned(), Value::from("bare"))]);
    let found = domain.connector.find(&domain.cx(), &account(), &key).await.unwrap();

    let error = domain.update(&found[0].id, &to_state(AccountState::Enabled)).await.unwrap_err();

    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("state")));
    assert_eq!(domain.values(&name, "userAccountControl").await, ["514"]);
}

pub async fn names_are_held_to_the_rules(domain: &Domain) {
    for bad in ["twenty-one-characters", "a/b", "a,b", "a."] {
        let mut attrs = person("rules");
        attrs.insert("sAMAccountName".into(), vec![bad.into()]);
        let made = domain.connector.create(&domain.cx(), &account(), &attrs, AccountState::Enabled, &[]).await;
        let error = made.unwrap_err();
        assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("sAMAccountName")), "{bad}");
    }
    // A login name is taken in the whole domain, whatever the entry is called.
    let id = domain.make("taken").await;
    let mut attrs = person("other");
    attrs.insert("sAMAccountName".into(), vec!["TAKEN".into()]);
    let error =
        domain.connector.create(&domain.cx(), &account(), &attrs, AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.existing), (Class::AlreadyExists, Some(id)));
}

pub async fn groups_are_given_and_taken_twice(domain: &Domain) {
    let id = domain.make("groups").await;
    for _ in 0..2 {
        domain.update(&id, &roles(&["grp-ed", "grp-inner"], &[])).await.unwrap();
    }
    let held = domain.read(&id).await.entitlements.unwrap();
    let mut held: Vec<_> = held.iter().map(|one| one.value.as_str()).collect();
    held.sort_unstable();
    assert_eq!(held, ["grp-ed", "grp-inner"]);
    for _ in 0..2 {
        domain.update(&id, &roles(&[], &["grp-ed", "grp-ward"])).await.unwrap();
    }
    assert_eq!(domain.read(&id).await.entitlements.unwrap(), [Entitlement::new("role", "grp-inner")]);
    let error = domain.update(&id, &roles(&["no-such-group"], &[])).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid);
}

pub async fn the_primary_group_is_held_and_can_be_taken(domain: &Domain) {
    // given an account whose primary group is one of ours, which then lists it no more
    let id = domain.make("primary").await;
    domain.update(&id, &roles(&["grp-ward"], &[])).await.unwrap();
    let sid = {
        let group = format!("CN=grp-ward,{GROUPS}");
        let found =
            domain.admin().await.search(&group, Scope::Base, "(objectClass=*)", vec!["objectSid"]).await.unwrap();
        let entry = SearchEntry::construct(found.0.into_iter().next().unwrap());
        let octets = entry.bin_attrs["objectSid"][0].clone();
        u32::from_le_bytes(octets[octets.len() - 4..].try_into().unwrap()).to_string()
    };
    domain.set(&dn("primary"), "primaryGroupID", &sid).await;
    assert_eq!(domain.values(&dn("primary"), "memberOf").await, ["CN=Domain Users,CN=Users,DC=hosp,DC=example"]);

    // then it is held all the same, and giving it is success
    assert_eq!(domain.read(&id).await.entitlements.unwrap(), [Entitlement::new("role", "grp-ward")]);
    domain.update(&id, &roles(&["grp-ward"], &[])).await.unwrap();

    // and taking it makes Domain Users the primary group again
    for _ in 0..2 {
        domain.update(&id, &roles(&[], &["grp-ward"])).await.unwrap();
        assert_eq!(domain.read(&id).await.entitlements.unwrap(), []);
        assert_eq!(domain.values(&dn("primary"), "primaryGroupID").await, ["513"]);
        assert_eq!(domain.values(&dn("primary"), "memberOf").await, [""; 0]);
    }
}

pub async fn a_move_between_units_keeps_id_and_groups(domain: &Domain) {
    let id = domain.make("mover").await;
    domain.update(&id, &roles(&["grp-ed"], &[])).await.unwrap();
    let west = "OU=west,OU=people,DC=hosp,DC=example";
    domain.update(&id, &set("parent", Delta::Set(vec![west.into()]))).await.unwrap();
    domain.update(&id, &set("cn", Delta::Set(vec!["Testperson moved, Example".into()]))).await.unwrap();
    let read = domain.read(&id).await;
    assert_eq!((&read.attrs["parent"][0], &read.attrs["cn"][0]), (&west.into(), &"Testperson moved, Example".into()));
    assert_eq!(read.entitlements.unwrap(), [Entitlement::new("role", "grp-ed")]);
    let error = domain.update(&id, &set("parent", Delta::Set(vec![SUFFIX.into()]))).await.unwrap_err();
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("parent")));
}

pub async fn a_computer_is_no_account(domain: &Domain) {
    let attributes = vec![
        ("objectClass", HashSet::from(["computer"])),
        ("sAMAccountName", HashSet::from(["CART-7$"])),
        ("userAccountControl", HashSet::from(["4096"])),
    ];
    domain.admin().await.add(&format!("CN=CART-7,{PEOPLE}"), attributes).await.unwrap().success().unwrap();
    let page = domain.connector.lister().unwrap().list(&domain.cx(), &account(), None, 500).await.unwrap();
    assert!(page.complete && page.items.len() > 5);
    assert!(page.items.iter().all(|record| record.attrs["cn"] != [Value::from("CART-7")]));
}

pub async fn a_group_with_more_members_than_come_at_once_is_read_whole(domain: &Domain) {
    let key = BTreeMap::from([("cn".to_owned(), Value::from("crowd"))]);
    let mut long = domain.cx();
    long.deadline += std::time::Duration::from_secs(60);
    let found = domain.connector.find(&long, &"group".into(), &key).await.unwrap();
    assert_eq!(found[0].attrs["member"].len(), CROWD);
}

pub async fn a_group_is_an_object_too(domain: &Domain) {
    let kind = Kind::from("group");
    let (one, other) = (domain.make("member1").await, domain.make("member2").await);
    let ids = |ids: &[&NativeId]| ids.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>();
    let mut named = Attrs::from([
        ("cn".to_owned(), vec!["Night shift".into()]),
        ("sAMAccountName".to_owned(), vec!["night".into()]),
        ("info".to_owned(), vec!["gateway-night".into()]),
    ]);
    named.insert("member".into(), ids(&[&one]));
    let made = domain.connector.create(&domain.cx(), &kind, &named, AccountState::Enabled, &[]).await.unwrap();
    let patch = set("member", Delta::Patch { add: ids(&[&other]), remove: ids(&[&one]) });
    for _ in 0..2 {
        domain.connector.update(&domain.cx(), &kind, &made.id, &patch).await.unwrap();
        let read = domain.connector.get(&domain.cx(), &kind, &made.id).await.unwrap().unwrap();
        assert_eq!(read.attrs["member"], ids(&[&other]));
    }
    domain.connector.delete(&domain.cx(), &kind, &made.id).await.unwrap();
    assert_eq!(domain.connector.get(&domain.cx(), &kind, &made.id).await.unwrap(), None);
}
