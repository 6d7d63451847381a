//! contract: the handshake, the configuration and the schema.

use super::config_schema;
use crate::bench::{Bench, Ending, Stop, ensure, not_applicable, untested};
use crate::subject::Wire;
use connector_spi::{AccountState, Attrs, Class, ConnError, Kind, KindRole, KindSchema, NativeId, Op, SPI, Secret};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const LITERAL: &str = "literal-canary-3kq";

/// The protocol by hand. A connector of this process has none: there the compiler compares the contracts.
fn wire<'b>(b: &'b Bench<'_>) -> Result<&'b Arc<dyn Wire>, Stop> {
    match &b.subject.wire {
        Some(wire) => Ok(wire),
        None if b.subject.kind.name() == "plugin" => {
            untested!("the plugin's protocol cannot be spoken by hand"; add "Subject::wire")
        }
        None => not_applicable!("in process: there is no protocol, the compiler compares the contracts"),
    }
}

pub(super) async fn version_negotiation(b: &Bench<'_>) -> Ending {
    let wire = wire(b)?;
    let host = json!({ "name": "testkit", "version": "1" });
    let fits = wire.initialize(json!({ "spi": [SPI.0], "host": host })).await;
    let answer = fits.map_err(|refusal| Stop::Failed(format!("version {} is refused: {refusal}", SPI.0)))?;
    let stated = answer.get("spi").and_then(|spi| spi.as_u64().or_else(|| spi.get(0).and_then(Json::as_u64)));
    ensure!(stated == Some(SPI.0.into()), "the answer states contract {stated:?}, not {}", SPI.0);
    let strange = wire.initialize(json!({ "spi": [9999], "host": host })).await;
    ensure!(strange.is_err(), "a host that speaks only version 9999 is accepted: {strange:?}");
    Ok(())
}

pub(super) async fn unknown_fields_ignored(b: &Bench<'_>) -> Ending {
    let wire = wire(b)?;
    let greeting =
        json!({ "spi": [SPI.0], "host": { "name": "testkit", "version": "1" }, "fromTheFuture": { "a": [1] } });
    let greeted = wire.initialize(greeting).await;
    ensure!(greeted.is_ok(), "an unknown field in initialize is refused: {greeted:?}");
    let cx = json!({ "opId": "testkit", "attempt": 1, "deadlineMs": 5000, "dryRun": false, "fromTheFuture": true });
    let checked = wire.request("check", json!({ "cx": cx, "fromTheFuture": "x" })).await;
    ensure!(checked.is_ok(), "an unknown field in a request is refused: {checked:?}");
    Ok(())
}

pub(super) async fn schema_is_valid_json_schema(b: &Bench<'_>) -> Ending {
    let schema = b.subject.kind.config_schema();
    config_schema::check(&schema).map_err(Stop::Failed)
}

pub(super) async fn unknown_key_rejected(b: &Bench<'_>) -> Ending {
    let mut config = b.subject.config.clone();
    let Some(members) = config.as_object_mut() else {
        return Err(Stop::Failed("the configuration is no object".into()));
    };
    members.insert("noSuchSetting".to_owned(), json!(1));
    refused(b, &config, "a setting that does not exist").await
}

pub(super) async fn literal_secret_rejected(b: &Bench<'_>) -> Ending {
    b.has_secrets()?;
    let places = config_schema::secrets(&b.subject.config, &b.subject.secrets);
    if places.is_empty() {
        untested!("the configuration refers to none of the secrets"; add "a reference to one among the settings")
    }
    for pointer in places {
        let mut config = b.subject.config.clone();
        if let Some(place) = config.pointer_mut(&pointer) {
            *place = json!(LITERAL);
        }
        refused(b, &config, &format!("a literal secret at {pointer}")).await?;
    }
    Ok(())
}

/// Both doors refuse the configuration: the lint, and opening.
async fn refused(b: &Bench<'_>, config: &Json, what: &str) -> Ending {
    let issues = b.subject.kind.check_json(config);
    ensure!(!issues.is_empty(), "{what} passes the check of the configuration");
    match b.open(config.clone()).await {
        Ok(_) => Err(Stop::Failed(format!("{what} does not keep the connector from opening"))),
        Err(error) => {
            ensure!(error.class == Class::Config, "{what} is {} on opening, not Config", error.class);
            Ok(())
        }
    }
}

pub(super) async fn bad_value_names_pointer(b: &Bench<'_>) -> Ending {
    let Some(members) = b.subject.config.as_object() else {
        return Err(Stop::Failed("the configuration is no object".into()));
    };
    let plain = |value: &Json| value.is_string() || value.is_number() || value.is_boolean();
    for name in members.iter().filter(|(_, value)| plain(value)).map(|(name, _)| name) {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let mut config = b.subject.config.clone();
        if let Some(place) = config.pointer_mut(&pointer) {
            *place = json!({ "not": ["a", "value", "of", "this", "type"] });
        }
        let issues = b.subject.kind.check_json(&config);
        let named = issues.iter().any(|issue| issue.pointer.starts_with(&pointer));
        ensure!(named, "a value of a wrong type at {pointer} is not named by its pointer: {issues:?}");
    }
    Ok(())
}

pub(super) async fn stable_revision(b: &Bench<'_>) -> Ending {
    let first = b.note(Op::Schema, (), b.connector.schema(&b.ctx()).await)?;
    let again = b.note(Op::Schema, (), b.connector.schema(&b.ctx()).await)?;
    let reopened = b.open(b.subject.config.clone()).await?.schema(&b.ctx()).await?;
    for other in [again, reopened] {
        ensure!(other.revision == first.revision, "the revision went from {} to {}", first.revision, other.revision);
        ensure!(other == first, "revision {} stands for two different schemas", first.revision);
    }
    Ok(())
}

pub(super) async fn natural_key_present(b: &Bench<'_>) -> Ending {
    for (name, kind) in b.schema.kinds.iter().filter(|(_, kind)| kind.caps.create) {
        ensure!(!kind.natural_keys.is_empty(), "{name} can be created but has no natural key");
        for key in &kind.natural_keys {
            ensure!(!key.is_empty(), "{name} has an empty natural key");
            for part in key {
                ensure!(kind.attrs.contains_key(part), "{name}: the natural key names {part}, which is no attribute");
            }
        }
    }
    Ok(())
}

pub(super) async fn refs_resolve(b: &Bench<'_>) -> Ending {
    for (name, kind) in &b.schema.kinds {
        for on in &kind.depends_on {
            ensure!(b.schema.kinds.contains_key(on), "{name} depends on {on}, which is no kind");
        }
        for (attr, schema) in &kind.attrs {
            if let Some(to) = &schema.references {
                ensure!(b.schema.kinds.contains_key(to), "{name}.{attr} refers to {to}, which is no kind");
            }
        }
    }
    Ok(())
}

pub(super) async fn undeclared_op_is_unsupported(b: &Bench<'_>) -> Ending {
    let mut tried = 0;
    for (kind, schema) in &b.schema.kinds {
        tried += undeclared_of(b, kind, schema).await?;
    }
    if tried == 0 {
        not_applicable!("every kind declares every capability");
    }
    Ok(())
}

async fn undeclared_of(b: &Bench<'_>, kind: &Kind, schema: &KindSchema) -> Result<u32, Stop> {
    let (cx, caps, connector) = (b.ctx(), &schema.caps, &b.connector);
    let id = NativeId::from("no-such-record");
    let mut tried = 0;
    let mut expect = |op: Op, outcome: Result<(), ConnError>| {
        tried += 1;
        match b.note(op, kind, outcome) {
            Err(error) if error.class == Class::Unsupported => Ok(()),
            other => Err(Stop::Failed(format!("{kind} does not declare {op}, but it is {other:?}, not Unsupported"))),
        }
    };
    if !caps.create {
        let made = connector.create(&cx, kind, &Attrs::new(), AccountState::Enabled, &[]).await;
        expect(Op::Create, made.map(drop))?;
    }
    if !caps.update {
        let state = crate::bench::change_state(AccountState::Disabled);
        expect(Op::Update, connector.update(&cx, kind, &id, &state).await.map(drop))?;
    }
    if !caps.delete {
        expect(Op::Delete, connector.delete(&cx, kind, &id).await)?;
    }
    if let Some(lister) = connector.lister().filter(|_| !caps.list) {
        expect(Op::List, lister.list(&cx, kind, None, 1).await.map(drop))?;
    }
    if let Some(syncer) = connector.syncer().filter(|_| !caps.sync) {
        expect(Op::Latest, syncer.latest(&cx, kind).await.map(drop))?;
    }
    if let Some(passwords) = connector.passwords().filter(|_| !caps.set_password) {
        let password = Secret::new("Unused-canary-1".to_owned());
        expect(Op::SetPassword, passwords.set_password(&cx, kind, &id, &password).await)?;
    }
    if let Some(effect) = connector.effect().filter(|_| !caps.effective) {
        expect(Op::Effective, effect.effective(&cx, kind, &id).await.map(drop))?;
    }
    if let Some(effect) = connector.effect().filter(|_| !caps.revoke_sessions) {
        expect(Op::RevokeSessions, effect.revoke_sessions(&cx, kind, &id).await)?;
    }
    let facets = [
        ("list", caps.list, connector.lister().is_some()),
        ("sync", caps.sync, connector.syncer().is_some()),
        ("max_batch", caps.max_batch > 0, connector.batcher().is_some()),
        ("set_password", caps.set_password && schema.role == KindRole::Account, connector.passwords().is_some()),
        ("effective", caps.effective || caps.revoke_sessions, connector.effect().is_some()),
    ];
    for (capability, declared, there) in facets {
        ensure!(!declared || there, "{kind} declares {capability}, but the connector has no such facet");
    }
    Ok(tried)
}
