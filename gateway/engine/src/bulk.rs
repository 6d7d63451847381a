//! Bulk requests (RFC 7644, section 3.7): each operation is a change of its own, failures included.
//!
//! Operations that neither name each other nor one resource are written side by side, so that they share the writer's turns.
//! Operations that name each other in a circle are created without those references and then replaced by what was asked.

use crate::intake::Precondition;
use crate::{Caller, Engine, Error, Saved};
use futures_util::future::join_all;
use gateway_domain::ResourceId;
use gateway_store::Needs;
use scim::{BulkMethod, BulkOperation, BulkRequest, Context, Patch, Resource, ResourceType, ScimError, ScimType};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Operations written side by side: one turn of the writer.
const TURN: usize = 64;

/// As many futures as `join_all` begins in their order.
const IN_ORDER: usize = 16;

/// The answer to one operation.
#[derive(Debug, Clone)]
pub struct BulkAnswer {
    /// The operation's method.
    pub method: BulkMethod,
    /// The client's mark of it.
    pub bulk_id: Option<String>,
    /// The resource type, where the path named one.
    pub ty: Option<Arc<ResourceType>>,
    /// The resource, where there is one.
    pub id: Option<ResourceId>,
    /// Its version.
    pub version: Option<u64>,
    /// The HTTP status.
    pub status: u16,
    /// Why it failed.
    pub error: Option<ScimError>,
}

impl Engine {
    /// Carries a Bulk request out. The answers are in order of the request; after `failOnErrors` failures the rest is missing.
    ///
    /// # Errors
    /// Only when the store is out: whatever was done stays done, and each operation can be sent again.
    pub async fn bulk(&self, caller: &Caller, request: BulkRequest) -> Result<Vec<BulkAnswer>, Error> {
        let order = scim::order(&request.operations);
        let mut run = Run { engine: self, caller, ids: HashMap::new(), answers: BTreeMap::new(), failures: 0 };
        let circular: HashSet<usize> = order.cycles.iter().flatten().copied().collect();
        for place in &order.selfish {
            run.refuse(*place, &request.operations, "an operation cannot name its own bulkId");
        }
        for (place, name) in &order.unknown {
            run.refuse(*place, &request.operations, &format!("no operation has the bulkId {name:?}"));
        }
        let most = request.fail_on_errors.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let width = if request.fail_on_errors.is_some() { 1 } else { TURN };
        let mut waiting: Vec<usize> =
            order.sequence.iter().copied().filter(|place| !run.answers.contains_key(place)).collect();
        while !waiting.is_empty() && run.failures < most {
            let (turn, rest) = next_turn(&waiting, &request.operations, &circular, width);
            run.turn(&turn, &request.operations, &circular).await?;
            waiting = rest;
        }
        if run.failures < most {
            run.close_circles(&order.cycles, &request.operations).await?;
        }
        Ok(run.answers.into_values().collect())
    }
}

/// The operations of the next turn, and those left: none of a turn names another, and no two are about one resource.
fn next_turn(
    waiting: &[usize],
    operations: &[BulkOperation],
    circular: &HashSet<usize>,
    width: usize,
) -> (Vec<usize>, Vec<usize>) {
    let mut turn = Vec::new();
    let mut paths: HashSet<&str> = HashSet::new();
    let mut names: HashSet<&str> = HashSet::new();
    for (taken, place) in waiting.iter().enumerate() {
        let Some(operation) = operations.get(*place) else { continue };
        let named = operation.data.as_ref().map(scim::references).unwrap_or_default();
        let waits = !circular.contains(place)
            && (named.iter().any(|name| names.contains(name.as_str()))
                || names.iter().any(|name| operation.path.contains(&format!("bulkId:{name}"))));
        let repeats = operation.method != BulkMethod::Post && !paths.insert(&operation.path);
        if turn.len() == width || waits || repeats {
            return (turn, waiting.get(taken..).unwrap_or_default().to_vec());
        }
        names.extend(operation.bulk_id.as_deref());
        turn.push(*place);
    }
    (turn, Vec::new())
}

/// A Bulk request on its way.
struct Run<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    ids: HashMap<String, String>,
    answers: BTreeMap<usize, BulkAnswer>,
    failures: usize,
}

impl Run<'_> {
    async fn turn(
        &mut self,
        turn: &[usize],
        operations: &[BulkOperation],
        circular: &HashSet<usize>,
    ) -> Result<(), Error> {
        let work = turn.iter().filter_map(|place| operations.get(*place).map(|operation| (*place, operation)));
        let begun = work.map(|(place, operation)| {
            let mut operation = operation.clone();
            if circular.contains(&place)
                && let Some(data) = &mut operation.data
            {
                drop_references(data);
            }
            if let Some(data) = &mut operation.data {
                scim::substitute(data, &self.ids);
            }
            operation.path = scim::substitute_path(&operation.path, &self.ids);
            let (engine, caller) = (self.engine, self.caller);
            Box::pin(async move { (place, engine.operation(caller, operation).await) })
        });
        let mut begun: Vec<_> = begun.collect();
        // Few at a time are begun in order, so that what is created stands in the order of the request.
        let rows: Vec<_> = std::iter::from_fn(|| {
            (!begun.is_empty()).then(|| join_all(begun.drain(..begun.len().min(IN_ORDER)).collect::<Vec<_>>()))
        })
        .collect();
        for (place, answer) in join_all(rows).await.into_iter().flatten() {
            let answer = answer?;
            if let (Some(bulk_id), Some(id), None) = (&answer.bulk_id, &answer.id, &answer.error) {
                self.ids.insert(bulk_id.clone(), id.as_str().to_owned());
            }
            self.failures += usize::from(answer.error.is_some());
            self.answers.insert(place, answer);
        }
        Ok(())
    }

    /// Gives the resources of a circle the references that they were created without.
    async fn close_circles(&mut self, cycles: &[Vec<usize>], operations: &[BulkOperation]) -> Result<(), Error> {
        for place in cycles.iter().flatten() {
            let (Some(operation), Some(answer)) = (operations.get(*place), self.answers.get(place)) else { continue };
            let (Some(id), None, Some(ty)) = (&answer.id, &answer.error, &answer.ty) else { continue };
            let mut data = operation.data.clone().unwrap_or(Value::Null);
            scim::substitute(&mut data, &self.ids);
            let path = format!("{}/{id}", ty.endpoint);
            let again = BulkOperation { method: BulkMethod::Put, bulk_id: None, version: None, path, data: Some(data) };
            let closed = self.engine.operation(self.caller, again).await?;
            if let Some(answer) = self.answers.get_mut(place) {
                answer.version = closed.version.or(answer.version);
                if let Some(error) = closed.error {
                    answer.status = error.status;
                    answer.error = Some(error);
                    self.failures += 1;
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, place: usize, operations: &[BulkOperation], why: &str) {
        let Some(operation) = operations.get(place) else { return };
        let error = ScimError::bad_request(ScimType::InvalidValue, why);
        self.failures += 1;
        self.answers.insert(place, failed(operation, None, None, error));
    }
}

impl Engine {
    /// One operation. A failure of the store ends the whole request, so that no client takes it for its own mistake.
    async fn operation(&self, caller: &Caller, operation: BulkOperation) -> Result<BulkAnswer, Error> {
        let (ty, id) = match self.place(&operation.path) {
            Ok(place) => place,
            Err(error) => return Ok(failed(&operation, None, None, error)),
        };
        match self.perform(caller, &ty, id.as_ref(), &operation).await {
            Ok(Some(saved)) => Ok(BulkAnswer {
                method: operation.method,
                bulk_id: operation.bulk_id,
                ty: Some(ty),
                status: if operation.method == BulkMethod::Post { 201 } else { 200 },
                version: Some(saved.view.resource.version),
                id: Some(saved.view.resource.id),
                error: None,
            }),
            Ok(None) => Ok(BulkAnswer {
                method: operation.method,
                bulk_id: operation.bulk_id,
                ty: Some(ty),
                id,
                version: None,
                status: 204,
                error: None,
            }),
            Err(Error::Scim(error)) => Ok(failed(&operation, Some(ty), id, error)),
            Err(error) => Err(error),
        }
    }

    async fn perform(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: Option<&ResourceId>,
        operation: &BulkOperation,
    ) -> Result<Option<Saved>, Error> {
        let source = &caller.source;
        let when = precondition(operation.version.as_deref())?;
        let data = || {
            operation
                .data
                .clone()
                .ok_or_else(|| ScimError::bad_request(ScimType::InvalidSyntax, "the operation needs data"))
        };
        let read = |how| Resource::parse(data()?, ty, source.dialect, how, &source.aliases);
        let needs = Needs::default();
        match (operation.method, id) {
            (BulkMethod::Post, None) => self.create(caller, ty, read(Context::Create)?, needs).await.map(Some),
            (BulkMethod::Put, Some(id)) => {
                self.replace(caller, ty, id, when, read(Context::Replace)?, needs).await.map(Some)
            }
            (BulkMethod::Patch, Some(id)) => {
                let patch = Patch::parse(data()?, ty, source.dialect, &source.aliases)?;
                self.patch(caller, ty, id, when, patch, needs).await.map(Some)
            }
            (BulkMethod::Delete, Some(id)) => self.delete(caller, ty, id, when).await.map(|()| None),
            (BulkMethod::Post, Some(_)) => Err(syntax("POST goes to a resource type, such as /Users").into()),
            (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None) => {
                Err(syntax("the path must name a resource, such as /Users/ID").into())
            }
        }
    }

    /// The resource type and the id that a path names.
    fn place(&self, path: &str) -> Result<(Arc<ResourceType>, Option<ResourceId>), ScimError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (endpoint, id) = match path.split_once('/') {
            Some((endpoint, id)) => (endpoint, Some(id).filter(|id| !id.is_empty())),
            None => (path, None),
        };
        let ty = self.types().by_endpoint(&format!("/{endpoint}"));
        let ty = ty.ok_or_else(|| syntax(&format!("there is no resource type at /{endpoint}")))?;
        if ty.name == self.types().role().name || ty.name == self.types().entitlement().name {
            return Err(ScimError::method_not_allowed(format!("{} is read-only", ty.endpoint)));
        }
        Ok((Arc::clone(ty), id.map(ResourceId::from)))
    }
}

fn syntax(detail: &str) -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, detail)
}

/// The version of an operation is an ETag.
fn precondition(version: Option<&str>) -> Result<Precondition, ScimError> {
    let Some(version) = version else { return Ok(Precondition::Any) };
    let digits = version.trim().trim_start_matches("W/").trim_matches('"');
    let number = digits.parse().map_err(|_| ScimError::precondition_failed("the version is none of ours"))?;
    Ok(Precondition::Versions(vec![number]))
}

fn failed(
    operation: &BulkOperation,
    ty: Option<Arc<ResourceType>>,
    id: Option<ResourceId>,
    error: ScimError,
) -> BulkAnswer {
    BulkAnswer {
        method: operation.method,
        bulk_id: operation.bulk_id.clone(),
        ty,
        id,
        version: None,
        status: error.status,
        error: Some(error),
    }
}

/// Takes out whatever names a bulkId: elements of lists as a whole, attributes with their value.
fn drop_references(value: &mut Value) {
    let names = |value: &Value| !scim::references(value).is_empty();
    match value {
        Value::Array(elements) => elements.retain(|element| !names(element)),
        Value::Object(members) => {
            for member in members.values_mut() {
                drop_references(member);
            }
            members.retain(|_, member| !names(member));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
