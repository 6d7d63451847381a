//! crud: what is written is what is read, and what cannot be written is refused by name.

use crate::bench::{Bench, Ending, Stop, change_attr, change_state, ensure, key_of, not_applicable, sorted, untested};
use connector_spi::{AccountState, Attrs, Change, Class, Delta, Op, Value};
use std::collections::BTreeMap;

pub(super) async fn roundtrip_all_creatable(b: &Bench<'_>) -> Ending {
    for fixture in [Some(b.account), b.subject.fixture.other.as_ref()].into_iter().flatten() {
        let schema = b.kind(fixture)?;
        let attrs = b.full(fixture);
        for (name, attr) in &schema.attrs {
            ensure!(
                !attr.creatable || attrs.contains_key(name),
                "the fixture has no value for {}.{name}",
                fixture.kind
            );
        }
        let id = b.create_as(&b.ctx(), fixture, &attrs, &[]).await?.id;
        let record = b.read(&fixture.kind, &id).await?;
        for (name, values) in &attrs {
            if b.attr(fixture, name)?.readable {
                let (given, held) = (sorted(Some(values)), sorted(record.attrs.get(name)));
                ensure!(given == held, "{}.{name} was given as {given:?} and is read as {held:?}", fixture.kind);
            }
        }
        for name in schema.natural_keys.iter().flatten().filter(|name| schema.attrs.contains_key(*name)) {
            let held = record.natural_key.get(name);
            ensure!(held.is_some(), "{}: the record's natural key lacks {name}", fixture.kind);
        }
    }
    Ok(())
}

pub(super) async fn missing_required_is_invalid_with_attribute(b: &Bench<'_>) -> Ending {
    let required: Vec<&String> = b.kind(b.account)?.attrs.iter().filter(|(_, a)| a.required).map(|(n, _)| n).collect();
    if required.is_empty() {
        not_applicable!("no attribute is required");
    }
    for name in required {
        let mut attrs = b.minimal(b.account)?;
        attrs.remove(name);
        match b.create_as(&b.ctx(), b.account, &attrs, &[]).await {
            Ok(_) => return Err(Stop::Failed(format!("a create without {name} succeeds"))),
            Err(error) => {
                ensure!(error.class == Class::Invalid, "a create without {name} is {}, not Invalid", error.class);
                let named = error.attribute.as_deref();
                ensure!(named == Some(name), "the refusal of a create without {name} names {named:?}");
            }
        }
    }
    Ok(())
}

/// Creates an account with this text and reads it back.
async fn text_survives(b: &Bench<'_>, text: &str) -> Ending {
    let mut attrs = b.minimal(b.account)?;
    attrs.insert(b.account.text.clone(), vec![Value::from(text)]);
    b.given(text);
    let id = match b.create_as(&b.ctx(), b.account, &attrs, &[]).await {
        Ok(created) => created.id,
        // A target may refuse a text; it must say so, and must not change it.
        Err(error) if error.class == Class::Invalid && error.attribute.as_ref() == Some(&b.account.text) => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let record = b.read(&b.account.kind, &id).await?;
    let held = record.attrs.get(&b.account.text).and_then(|values| values.first());
    ensure!(held == Some(&Value::from(text)), "{text:?} is read back as {held:?}");
    Ok(())
}

pub(super) async fn unicode_and_4byte(b: &Bench<'_>) -> Ending {
    for text in ["Zoë Ångström", "李小龍", "שלום עולם", "𝒳𝓎 \u{1F469}\u{200D}\u{2695}\u{FE0F}"] {
        text_survives(b, text).await?;
    }
    Ok(())
}

pub(super) async fn max_length_edge(b: &Bench<'_>) -> Ending {
    let schema = b.kind(b.account)?;
    let limited: Vec<(&String, u32)> = schema
        .attrs
        .iter()
        .filter(|(_, attr)| attr.creatable)
        .filter_map(|(name, attr)| attr.max_length.map(|most| (name, most)))
        .filter(|(_, most)| *most <= 10_000)
        .collect();
    if limited.is_empty() {
        not_applicable!("no attribute states a limit of at most 10,000 characters");
    }
    let limited: Vec<(&String, u32)> =
        limited.into_iter().filter(|(name, _)| b.account.attrs.contains_key(*name)).collect();
    if limited.is_empty() {
        untested!("there is no value for an attribute with a limit"; add "one to account.attrs in the legal values")
    }
    for (name, most) in limited {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut attrs = b.minimal(b.account)?;
        // The number at the end keeps a natural key unique.
        let text = format!("{:x>most$}", b.number());
        attrs.insert(name.clone(), vec![Value::from(text.clone())]);
        let id = b.create_as(&b.ctx(), b.account, &attrs, &[]).await?.id;
        let held = b.read(&b.account.kind, &id).await?.attrs.get(name).cloned();
        ensure!(held == Some(vec![Value::from(text.clone())]), "{name} of {most} characters is read back otherwise");

        let mut attrs = b.minimal(b.account)?;
        let long = format!("{:x>width$}", b.number(), width = most + 1);
        attrs.insert(name.clone(), vec![Value::from(long)]);
        match b.create_as(&b.ctx(), b.account, &attrs, &[]).await {
            Ok(_) => return Err(Stop::Failed(format!("{name} of {} characters is accepted", most + 1))),
            Err(error) => {
                let named = error.class == Class::Invalid && error.attribute.as_ref() == Some(name);
                ensure!(named, "{name} of {} characters is {error}, not Invalid by name", most + 1);
            }
        }
    }
    Ok(())
}

/// Texts that mean something in SQL, LDAP filters and names, XML, JSON, URLs, shells and templates.
const HOSTILE: [&str; 16] = [
    "'; DROP TABLE users; --",
    "Robert\\'); --",
    "a%b_c[d]",
    "*)(uid=*))(|(uid=*",
    "x,ou=admin\\,dc=hosp",
    "a+b=c;d<e>f#g\"h",
    "<b>&amp;</b><!--x-->]]>",
    "&lt;&#x41;&quot;",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "../../etc/passwd%00%2e%2e",
    "a?b=c&d#e f",
    "\"},{\"a\":\"b\\u0041",
    "$(id) `id` |id",
    "@SUM(1+1)*cmd",
    "NULL",
    "N''+(select 1)+''",
];

pub(super) async fn injection_strings_are_data(b: &Bench<'_>) -> Ending {
    for text in HOSTILE {
        text_survives(b, text).await?;
    }
    b.make(b.account).await?;
    let set = b.kind(b.account)?.natural_keys.first().cloned().unwrap_or_default();
    for wild in ["*", "%", "' OR '1'='1", "*)(objectClass=*", "kit*"] {
        let key: BTreeMap<String, Value> = set.iter().map(|name| (name.clone(), Value::from(wild))).collect();
        match b.find(&b.account.kind, &key).await {
            Ok(hits) => ensure!(hits.is_empty(), "a search for {wild:?} finds {} records", hits.len()),
            Err(error) => ensure!(error.class == Class::Invalid, "a search for {wild:?} is {error}"),
        }
    }
    Ok(())
}

pub(super) async fn absent_is_none(b: &Bench<'_>) -> Ending {
    let id = b.filled(b.account.absent.as_str(), b.number()).into();
    let found = b.get(&b.account.kind, &id).await?;
    ensure!(found.is_none(), "a record that was never made is found");
    Ok(())
}

pub(super) async fn by_each_natural_key(b: &Bench<'_>) -> Ending {
    let schema = b.kind(b.account)?;
    b.make(b.account).await?;
    let attrs = b.full(b.account);
    let id = b.create_as(&b.ctx(), b.account, &attrs, &[]).await?.id;
    for set in schema.natural_keys.iter().chain(&schema.caps.find_by) {
        let Some(key) = key_of(set, &attrs) else { continue };
        let hits = b.find(&b.account.kind, &key).await?;
        let ids: Vec<&str> = hits.iter().map(|record| record.id.as_str()).collect();
        ensure!(ids == [id.as_str()], "a search by {set:?} finds {ids:?}, not {id}");
    }
    let nobody = b.key(b.account, &b.full(b.account))?;
    ensure!(b.find(&b.account.kind, &nobody).await?.is_empty(), "a search for a key that nobody has finds somebody");
    Ok(())
}

pub(super) async fn case_rule_matches_schema(b: &Bench<'_>) -> Ending {
    let schema = b.kind(b.account)?;
    let attrs = b.full(b.account);
    b.create_as(&b.ctx(), b.account, &attrs, &[]).await?;
    let mut tried = 0;
    for set in &schema.natural_keys {
        let ([name], Some(key)) = (set.as_slice(), key_of(set, &attrs)) else { continue };
        let Some(text) = key.get(name).and_then(Value::as_text) else { continue };
        let other = if text == text.to_uppercase() { text.to_lowercase() } else { text.to_uppercase() };
        if other == text {
            continue;
        }
        tried += 1;
        let hits = b.find(&b.account.kind, &BTreeMap::from([(name.clone(), Value::from(other))])).await?;
        let exact = b.attr(b.account, name)?.case_exact;
        let expected = usize::from(!exact);
        ensure!(hits.len() == expected, "{name} says caseExact = {exact}, but the other case finds {}", hits.len());
    }
    if tried == 0 {
        untested!("no natural key among the legal values has letters"; add "letters to one of them")
    }
    Ok(())
}

pub(super) async fn inactive_is_found(b: &Bench<'_>) -> Ending {
    b.needs("disable", |caps| caps.disable)?;
    let (id, attrs) = b.make(b.account).await?;
    b.update(&b.account.kind, &id, &change_state(AccountState::Disabled)).await?;
    let hits = b.find(&b.account.kind, &b.key(b.account, &attrs)?).await?;
    ensure!(hits.len() == 1, "a disabled account is found {} times by its natural key", hits.len());
    b.read(&b.account.kind, &id).await?;
    Ok(())
}

pub(super) async fn patch_add_remove_one_call(b: &Bench<'_>) -> Ending {
    b.needs("patch_multi", |caps| caps.patch_multi)?;
    let Some((name, values)) = &b.account.multi else {
        untested!("no attribute with many values is named"; add "multi to the account's legal values")
    };
    let [first, second, third, ..] = values.as_slice() else {
        return Err(Stop::Failed("three values are needed".into()));
    };
    let (id, _) = b.make(b.account).await?;
    b.set(b.account, &id, name, Delta::Set(vec![first.clone(), second.clone()])).await?;
    let patch = Delta::Patch { add: vec![third.clone()], remove: vec![first.clone()] };
    b.set(b.account, &id, name, patch).await?;
    let held = sorted(b.read(&b.account.kind, &id).await?.attrs.get(name));
    let expected = sorted(Some(&vec![second.clone(), third.clone()]));
    ensure!(held == expected, "{name} should be {expected:?} and is {held:?}");
    Ok(())
}

pub(super) async fn clear_vs_empty(b: &Bench<'_>) -> Ending {
    b.needs("update", |caps| caps.update)?;
    let name = &b.account.text;
    for delta in [Delta::Clear, Delta::Set(Vec::new())] {
        let mut attrs = b.minimal(b.account)?;
        attrs.insert(name.clone(), vec![Value::from("Testperson 12 Example")]);
        let id = b.create_as(&b.ctx(), b.account, &attrs, &[]).await?.id;
        let before = b.read(&b.account.kind, &id).await?;
        b.set(b.account, &id, name, delta.clone()).await?;
        let after = b.read(&b.account.kind, &id).await?;
        let held = sorted(after.attrs.get(name));
        ensure!(held.is_empty(), "{name} is {held:?} after {delta:?}");
        let without = |attrs: &Attrs| -> Attrs {
            attrs
                .iter()
                .filter(|(other, values)| *other != name && !values.is_empty())
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect()
        };
        ensure!(
            without(&before.attrs) == without(&after.attrs),
            "an attribute that was not named changed with {delta:?}"
        );
    }
    Ok(())
}

pub(super) async fn rename_returns_new_id(b: &Bench<'_>) -> Ending {
    let mut tried = 0;
    for fixture in [Some(b.account), b.subject.fixture.other.as_ref()].into_iter().flatten() {
        let Some(name) = &fixture.renames else { continue };
        tried += 1;
        let (old, _) = b.make(fixture).await?;
        let wanted = b.minimal(fixture)?;
        let Some(value) = wanted.get(name).cloned() else {
            return Err(Stop::Failed(format!("{name} is not among the natural keys of {}", fixture.kind)));
        };
        let updated = b.set(fixture, &old, name, Delta::Set(value)).await?;
        let new = updated.new_id.unwrap_or_else(|| old.clone());
        b.remember(&fixture.kind, &new);
        let record = b.get(&fixture.kind, &new).await?;
        ensure!(record.is_some(), "after the rename nothing is found under {new}, the id that was told");
        let ghost = new != old && matches!(b.get(&fixture.kind, &old).await, Ok(Some(_)));
        ensure!(!ghost, "the record is found under its old id too");
    }
    if tried == 0 {
        untested!("no attribute is named that makes the id"; add "renames to the account's legal values, where ids are names")
    }
    Ok(())
}

pub(super) async fn readonly_attr_is_invalid(b: &Bench<'_>) -> Ending {
    let schema = b.kind(b.account)?;
    let fixed: Vec<&String> =
        schema.attrs.iter().filter(|(_, attr)| !attr.updatable && attr.readable).map(|(name, _)| name).collect();
    if fixed.is_empty() {
        not_applicable!("every attribute that can be read can be changed")
    }
    let Some(name) = fixed.into_iter().find(|name| b.account.attrs.contains_key(*name)) else {
        untested!("there is no value for an attribute that cannot be changed"; add "one to account.attrs in the legal values")
    };
    let (id, _) = b.make(b.account).await?;
    let before = b.read(&b.account.kind, &id).await?;
    let other = b.full(b.account).remove(name).unwrap_or_default();
    match b.set(b.account, &id, name, Delta::Set(other)).await {
        Ok(updated) => {
            let told = updated.failed.iter().any(|part| part.error.class == Class::Invalid && part.part == *name);
            ensure!(told, "a change of {name}, which cannot be changed, is a success");
        }
        Err(error) => {
            let named = error.class == Class::Invalid && error.attribute.as_ref() == Some(name);
            ensure!(named, "a change of {name}, which cannot be changed, is {error}, not Invalid by name");
        }
    }
    let after = b.read(&b.account.kind, &id).await?;
    ensure!(before.attrs.get(name) == after.attrs.get(name), "{name} cannot be changed, but did");
    Ok(())
}

pub(super) async fn partial_failure_reported_per_part(b: &Bench<'_>) -> Ending {
    let bad = b.unknown_entitlement()?;
    let (id, _) = b.make(b.account).await?;
    let good = Value::from("Testperson 13 Example");
    let mut change = crate::bench::change_entitlements(&[], std::slice::from_ref(bad), &[]);
    change.attrs.insert(b.account.text.clone(), Delta::Set(vec![good.clone()]));
    let outcome = b.update(&b.account.kind, &id, &change).await;
    let record = b.read(&b.account.kind, &id).await?;
    let done = record.attrs.get(&b.account.text).is_some_and(|values| values.contains(&good));
    match outcome {
        Ok(updated) => {
            let part = format!("{}:{}", bad.kind, bad.value);
            let told = updated.failed.iter().any(|failed| failed.part == part);
            ensure!(told, "the part that failed ({part}) is not told: {:?}", updated.failed);
            ensure!(done, "the part that did not fail is not done");
        }
        Err(error) => {
            let whole = error.effect == connector_spi::Effect::None;
            ensure!(whole != done, "the error says effect {:?}, but the good part is done: {done}", error.effect);
        }
    }
    Ok(())
}

pub(super) async fn stale_version_detected(b: &Bench<'_>) -> Ending {
    b.needs("conditional_update", |caps| caps.conditional_update)?;
    let name = &b.account.text;
    let (id, _) = b.make(b.account).await?;
    let seen = b.read(&b.account.kind, &id).await?.version;
    ensure!(seen.is_some(), "conditional_update is declared, but records have no version");
    b.set(b.account, &id, name, Delta::Set(vec!["first".into()])).await?;
    let late = Change { if_version: seen, ..change_attr(name, Delta::Set(vec!["second".into()])) };
    match b.update(&b.account.kind, &id, &late).await {
        Ok(_) => return Err(Stop::Failed("an update on an old version succeeds".into())),
        Err(error) => {
            ensure!(error.class == Class::StaleVersion, "an old version is {}, not StaleVersion", error.class)
        }
    }
    let record = b.read(&b.account.kind, &id).await?;
    ensure!(record.attrs.get(name) == Some(&vec!["first".into()]), "the refused update was carried out");
    let fresh = Change { if_version: record.version, ..change_attr(name, Delta::Set(vec!["third".into()])) };
    b.update(&b.account.kind, &id, &fresh).await?;
    Ok(())
}

pub(super) async fn disable_keeps_entitlements_readable(b: &Bench<'_>) -> Ending {
    b.needs("disable", |caps| caps.disable)?;
    b.has_entitlements()?;
    let with: Vec<_> = b.subject.fixture.entitlements.iter().take(1).cloned().collect();
    if with.is_empty() {
        untested!("no entitlement is given"; add "entitlements to the legal values")
    }
    let id = b.make_with(&with).await?;
    b.update(&b.account.kind, &id, &change_state(AccountState::Disabled)).await?;
    let record = b.read(&b.account.kind, &id).await?;
    ensure!(record.state == AccountState::Disabled, "a disabled account is read as {:?}", record.state);
    let held = record.entitlements.unwrap_or_default();
    ensure!(
        with.iter().all(|one| held.iter().any(|other| other.same_grant(one))),
        "after disabling, only {held:?} is read"
    );
    b.update(&b.account.kind, &id, &change_state(AccountState::Enabled)).await?;
    let record = b.read(&b.account.kind, &id).await?;
    ensure!(record.state == AccountState::Enabled, "an account that was enabled again is read as {:?}", record.state);
    Ok(())
}

pub(super) async fn delete_absent_is_ok(b: &Bench<'_>) -> Ending {
    b.needs("delete", |caps| caps.delete)?;
    let (id, _) = b.make(b.account).await?;
    for _ in 0..2 {
        b.note(Op::Delete, &id, b.connector.delete(&b.ctx(), &b.account.kind, &id).await)?;
    }
    let never = b.filled(b.account.absent.as_str(), b.number()).into();
    b.note(Op::Delete, &never, b.connector.delete(&b.ctx(), &b.account.kind, &never).await)?;
    Ok(())
}
