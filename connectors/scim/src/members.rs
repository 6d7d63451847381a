//! Members of groups: by value, in portions, never the whole list where the server has PATCH.

use crate::{
    config::MemberRemoval,
    connector::ScimConnector,
    discovery::Seen,
    edit,
    error::is_absent,
    exchange::Ready,
    lookup::label,
    path::{Path, member, text_of},
    plan::{KindPlan, MEMBERS, Plan},
    record,
};
use connector_spi::{Class, ConnError, Ctx, Delta, Effect, NativeId, Result, Value};
use scim::Returned;
use serde_json::{Map, Value as Json, json};

/// Who comes and who goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    pub(crate) add: Vec<String>,
    pub(crate) remove: Vec<String>,
}

impl ScimConnector {
    /// Carries moves out. What is so already is success. Removals go first.
    ///
    /// # Errors
    /// Those of the request; the effect is `Partial` where portions before it were carried out.
    pub(crate) async fn move_members(
        &self,
        cx: &Ctx,
        plan: &Plan,
        group: &KindPlan,
        id: &NativeId,
        moves: &Moves,
    ) -> Result<()> {
        if moves.add.is_empty() && moves.remove.is_empty() {
            return Ok(());
        }
        if !plan.patch {
            return self.rewrite_members(cx, plan, group, id, moves).await;
        }
        let portion = usize::try_from(self.config.max_member_changes).unwrap_or(1).max(1);
        let mut done = false;
        for ids in moves.remove.chunks(portion) {
            self.remove_members(cx, group, id, ids).await.map_err(|error| partly(error, done))?;
            done = true;
        }
        for ids in moves.add.chunks(portion) {
            let values: Vec<Json> = ids.iter().map(|id| json!({ "value": id })).collect();
            let operation = json!({ "op": "add", "path": MEMBERS, "value": values });
            match self.patch_group(cx, group, id, &[operation]).await {
                Err(error) if error.class == Class::AlreadyExists && ids.len() == 1 => {}
                other => other.map_err(|error| partly(error, done))?,
            }
            done = true;
        }
        Ok(())
    }

    async fn remove_members(&self, cx: &Ctx, group: &KindPlan, id: &NativeId, ids: &[String]) -> Result<()> {
        let one = |id: &String| json!({ "op": "remove", "path": format!("{MEMBERS}[value eq {}]", json!(id)) });
        let operations: Vec<Json> = match self.config.member_removal {
            MemberRemoval::Filter => ids.iter().map(one).collect(),
            MemberRemoval::Value => {
                let values: Vec<Json> = ids.iter().map(|id| json!({ "value": id })).collect();
                vec![json!({ "op": "remove", "path": MEMBERS, "value": values })]
            }
        };
        match self.patch_group(cx, group, id, &operations).await {
            Err(error) if is_absent(&error) && ids.len() == 1 => Ok(()),
            // One of them is gone already, and a PATCH is carried out whole or not at all: so each by itself.
            Err(error) if is_absent(&error) => {
                let mut done = false;
                for id_of_member in ids {
                    match self.patch_group(cx, group, id, &[one(id_of_member)]).await {
                        Err(error) if is_absent(&error) => {}
                        other => other.map_err(|error| partly(error, done))?,
                    }
                    done = true;
                }
                Ok(())
            }
            other => other,
        }
    }

    async fn patch_group(&self, cx: &Ctx, group: &KindPlan, id: &NativeId, operations: &[Json]) -> Result<()> {
        let exchange = self.exchange(cx);
        let body = edit::patch_of(operations);
        let url = exchange.address(&group.resource.endpoint, Some(id.as_str()))?;
        let label = format!("PATCH {}", label(group, true));
        exchange.write(Ready { method: "PATCH", label, url, body: Some(&body), version: None }).await.map(drop)
    }

    /// A server without PATCH takes the whole group: as it was just read, with the moves made.
    async fn rewrite_members(
        &self,
        cx: &Ctx,
        plan: &Plan,
        group: &KindPlan,
        id: &NativeId,
        moves: &Moves,
    ) -> Result<()> {
        let hidden = |seen: &Seen| matches!(seen.returned, Returned::Never | Returned::Request);
        if !self.config.groups.members_shown || group.resource.own(MEMBERS).is_some_and(hidden) {
            let why = "the server takes whole groups only and does not show who is in them: the others would be lost";
            return Err(ConnError::unsupported(why).attribute(MEMBERS));
        }
        let exchange = self.exchange(cx);
        let url = exchange.address(&group.resource.endpoint, Some(id.as_str()))?;
        // Not `fetch`: it leaves the members out of an entitlement.
        let answer = exchange.read(&label(group, true), url.clone()).await?;
        let lost = || ConnError::unknown("the answer holds no resource").effect(Effect::None);
        let mut document: Map<String, Json> = answer.body.as_object().cloned().ok_or_else(lost)?;
        if record::id_of(&answer.body).as_deref() != Some(id.as_str()) {
            return Err(lost());
        }
        let key = document.keys().find(|key| key.eq_ignore_ascii_case(MEMBERS)).cloned();
        let key = key.unwrap_or_else(|| MEMBERS.to_owned());
        let before = document.get(&key).and_then(Json::as_array).cloned().unwrap_or_default();
        let mut after: Vec<Json> =
            before.iter().filter(|one| member_id(one).is_none_or(|id| !moves.remove.contains(&id))).cloned().collect();
        for id in &moves.add {
            if !after.iter().any(|one| member_id(one).as_ref() == Some(id)) {
                after.push(json!({ "value": id }));
            }
        }
        if after == before {
            return Ok(());
        }
        document.insert(key, Json::Array(after));
        let version = record::version(&answer.body, answer.etag.as_deref()).filter(|_| plan.etag);
        let body = edit::finished(document, &group.resource);
        let label = format!("PUT {}", label(group, true));
        exchange
            .write(Ready { method: "PUT", label, url, body: Some(&body), version: version.as_deref() })
            .await
            .map(drop)
    }

    /// The moves of a change of the attribute `members`.
    ///
    /// # Errors
    /// `Unsupported` when the whole list is wanted of a server that does not show it: whom to remove cannot be known.
    pub(crate) fn moves(&self, delta: &Delta, raw: &Json) -> Result<Moves> {
        let wanted = match delta {
            Delta::Patch { add, remove } => return Ok(Moves { add: ids(add)?, remove: ids(remove)? }),
            Delta::Set(values) => ids(values)?,
            Delta::Clear => Vec::new(),
        };
        if !self.config.groups.members_shown {
            let why = "the server does not show a group's members, so they can only be added and taken one by one";
            return Err(ConnError::unsupported(why).attribute(MEMBERS));
        }
        let path = Path { urn: None, name: MEMBERS.to_owned(), pick: None, sub: None };
        let held: Vec<String> = path.elements(raw).iter().filter_map(member_id).collect();
        Ok(Moves {
            add: wanted.iter().filter(|id| !held.contains(id)).cloned().collect(),
            remove: held.iter().filter(|id| !wanted.contains(id)).cloned().collect(),
        })
    }
}

/// Ids of members.
///
/// # Errors
/// `Invalid` for what is no id.
pub(crate) fn ids(values: &[Value]) -> Result<Vec<String>> {
    let id = |value: &Value| value.as_text().filter(|id| !id.is_empty()).map(str::to_owned);
    let bad = || ConnError::invalid("a member is named by its id").attribute(MEMBERS);
    let mut found: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        found.push(id(value).ok_or_else(bad)?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn member_id(element: &Json) -> Option<String> {
    member(element.as_object()?, "value").and_then(text_of)
}

fn partly(error: ConnError, done: bool) -> ConnError {
    if done && error.effect == Effect::None { error.effect(Effect::Partial) } else { error }
}
