//! Bulk requests: reading one, and the order in which its operations can run (RFC 7644, section 3.7).

use crate::dialect::Dialect;
use crate::error::{ScimError, invalid, syntax};
use crate::patch_parse::take;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The URI of the message.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const MARK: &str = "bulkId:";

/// A Bulk request. How many operations it may have is the service's to say.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After how many errors to stop; `None` never stops.
    pub fail_on_errors: Option<u32>,
    /// The operations, in the order of the request.
    pub operations: Vec<BulkOperation>,
}

/// The method of a Bulk operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // HTTP's own names
pub enum BulkMethod {
    Post,
    Put,
    Patch,
    Delete,
}

impl BulkMethod {
    /// The name, as HTTP spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            BulkMethod::Post => "POST",
            BulkMethod::Put => "PUT",
            BulkMethod::Patch => "PATCH",
            BulkMethod::Delete => "DELETE",
        }
    }
}

/// One operation of a Bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// The method.
    pub method: BulkMethod,
    /// The name by which other operations refer to what a POST creates.
    pub bulk_id: Option<String>,
    /// The version that the resource must have.
    pub version: Option<String>,
    /// `/Users` for a POST, `/Users/{id}` for the others. The id may be `bulkId:x`.
    pub path: String,
    /// The body. Absent for DELETE.
    pub data: Option<Value>,
}

impl BulkRequest {
    /// Reads the message. What is wrong with one operation's data is that operation's error, and found when it runs.
    ///
    /// # Errors
    /// 400 `invalidSyntax` where it is no such message, an operation has no known method or no path, or a POST has no
    /// `bulkId` (a must; `tolerant` does without); `invalidValue` where two operations have one `bulkId`.
    pub fn parse(value: Value, dialect: Dialect) -> Result<Self, ScimError> {
        let Value::Object(mut body) = value else { return Err(syntax("The body must be an object.")) };
        let named = match take(&mut body, "schemas") {
            Some(Value::Array(uris)) => {
                uris.iter().filter_map(Value::as_str).any(|uri| uri.eq_ignore_ascii_case(BULK_REQUEST))
            }
            _ => false,
        };
        if !named && !dialect.is_tolerant() {
            return Err(syntax(format!("`schemas` must name {BULK_REQUEST}.")));
        }
        let fail_on_errors = match take(&mut body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let limit = value.as_u64().filter(|limit| *limit > 0).and_then(|limit| u32::try_from(limit).ok());
                Some(limit.ok_or_else(|| syntax("`failOnErrors` must be a positive integer."))?)
            }
        };
        let Some(Value::Array(raw)) = take(&mut body, "Operations") else {
            return Err(syntax("`Operations` must be a list."));
        };
        let operations = raw.into_iter().map(|one| operation(one, dialect)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        if !operations.iter().filter_map(|one| one.bulk_id.as_deref()).all(|id| seen.insert(id)) {
            return Err(invalid("Two operations have the same `bulkId`."));
        }
        Ok(BulkRequest { fail_on_errors, operations })
    }
}

fn operation(value: Value, dialect: Dialect) -> Result<BulkOperation, ScimError> {
    let Value::Object(mut object) = value else { return Err(syntax("A Bulk operation must be an object.")) };
    let mut text = |name: &str| match take(&mut object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(syntax(format!("`{name}` of a Bulk operation must be a text."))),
    };
    let word = text("method")?.unwrap_or_default();
    let method =
        [BulkMethod::Post, BulkMethod::Put, BulkMethod::Patch, BulkMethod::Delete].into_iter().find(|method| {
            method.as_str() == word || (dialect.is_tolerant() && method.as_str().eq_ignore_ascii_case(&word))
        });
    let Some(method) = method else { return Err(syntax("A Bulk operation is POST, PUT, PATCH or DELETE.")) };
    let (bulk_id, version) = (text("bulkId")?.filter(|id| !id.is_empty()), text("version")?);
    let Some(path) = text("path")?.filter(|path| !path.is_empty()) else {
        return Err(syntax("A Bulk operation must have a `path`."));
    };
    if method == BulkMethod::Post && bulk_id.is_none() && !dialect.is_tolerant() {
        return Err(syntax("A POST in Bulk must have a `bulkId`."));
    }
    let path = if path.starts_with('/') || !dialect.is_tolerant() { path } else { format!("/{path}") };
    let data = take(&mut object, "data").filter(|data| !data.is_null());
    Ok(BulkOperation { method, bulk_id, version, path, data })
}

/// The bulkIds that a value names as `bulkId:x`, each once, in order: as a whole text, as the end of a reference
/// (`/Users/bulkId:x`), or as a quoted literal of a path (`members[value eq "bulkId:x"]`).
pub fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            for (start, end) in marks(text) {
                if let Some(id) = text.get(start..end)
                    && !found.iter().any(|known| known == id)
                {
                    found.push(id.to_owned());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where ids stand in a text, without the mark before them.
fn marks(text: &str) -> Vec<(usize, usize)> {
    if text.starts_with(MARK) && text.len() > MARK.len() {
        return vec![(MARK.len(), text.len())];
    }
    let mut found = Vec::new();
    for (at, _) in text.match_indices(MARK) {
        let end = match text.get(..at).and_then(|before| before.bytes().next_back()) {
            Some(b'/') => text.get(at..).and_then(|rest| rest.find(['/', '"', ']', ' ', '?'])),
            Some(b'"') => text.get(at..).and_then(|rest| rest.find('"')),
            _ => continue,
        };
        let (start, end) = (at + MARK.len(), end.map_or(text.len(), |end| at + end));
        if end > start {
            found.push((start, end));
        }
    }
    found
}

/// In which order operations can run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BulkOrder {
    /// The index of every operation: what is referred to comes first, and otherwise the order of the request holds. The
    /// operations of a cycle stand together.
    pub sequence: Vec<usize>,
    /// Operations that need each other, two or more: create them without the references, then patch these in.
    pub cycles: Vec<Vec<usize>>,
    /// Operations that refer to what they create themselves: 400 for each.
    pub selfish: Vec<usize>,
    /// An operation and a bulkId that it names and no POST of the request has: 409 for it (RFC 7644, section 3.7.2).
    pub unknown: Vec<(usize, String)>,
}

/// Orders operations by their references to each other.
pub fn order(operations: &[BulkOperation]) -> BulkOrder {
    let makers: HashMap<&str, usize> = operations
        .iter()
        .enumerate()
        .filter(|(_, one)| one.method == BulkMethod::Post)
        .filter_map(|(at, one)| Some((one.bulk_id.as_deref()?, at)))
        .collect();
    let mut out = BulkOrder::default();
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(operations.len());
    for (at, operation) in operations.iter().enumerate() {
        let mut ids = references(&Value::from(operation.path.as_str()));
        if let Some(data) = &operation.data {
            collect(data, &mut ids);
        }
        let mut need = Vec::new();
        for id in ids {
            match makers.get(id.as_str()) {
                Some(maker) if *maker == at => out.selfish.push(at),
                Some(maker) => need.push(*maker),
                None => out.unknown.push((at, id)),
            }
        }
        needs.push(need);
    }
    for component in components(&needs) {
        if component.len() > 1 {
            out.cycles.push(component.clone());
        }
        out.sequence.extend(component);
    }
    out
}

/// Tarjan's strongly connected components, what is needed first. Without recursion: a request names the depth.
fn components(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, Default)]
    struct Mark {
        index: Option<usize>,
        low: usize,
        on_stack: bool,
    }
    let mut marks = vec![Mark::default(); needs.len()];
    let (mut next, mut stack, mut found) = (0, Vec::new(), Vec::new());
    for root in 0..needs.len() {
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((at, child)) = path.pop() {
            let Some(mark) = marks.get_mut(at) else { continue };
            if child == 0 {
                if mark.index.is_some() {
                    continue;
                }
                *mark = Mark { index: Some(next), low: next, on_stack: true };
                next += 1;
                stack.push(at);
            }
            if let Some(&need) = needs.get(at).and_then(|need| need.get(child)) {
                let other = marks.get(need).copied().unwrap_or_default();
                path.push((at, child + 1));
                match other.index {
                    None => path.push((need, 0)),
                    Some(index) if other.on_stack => lower(marks.get_mut(at).map(|mark| &mut mark.low), index),
                    Some(_) => {}
                }
                continue;
            }
            let done = marks.get(at).copied().unwrap_or_default();
            if let Some((parent, _)) = path.last() {
                lower(marks.get_mut(*parent).map(|mark| &mut mark.low), done.low);
            }
            if done.index == Some(done.low) {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    if let Some(mark) = marks.get_mut(member) {
                        mark.on_stack = false;
                    }
                    component.push(member);
                    if member == at {
                        break;
                    }
                }
                component.sort_unstable();
                found.push(component);
            }
        }
    }
    found
}

fn lower(low: Option<&mut usize>, to: usize) {
    if let Some(low) = low {
        *low = (*low).min(to);
    }
}

/// Puts ids in place of bulkIds, wherever [`references`] finds one. A bulkId that the map does not have stays.
pub fn substitute(value: &mut Value, ids: &HashMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = substituted(text, ids) {
                *text = new;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| substitute(value, ids)),
        Value::Object(object) => object.values_mut().for_each(|value| substitute(value, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same for an operation's path.
pub fn substitute_path(path: &str, ids: &HashMap<String, String>) -> String {
    substituted(path, ids).unwrap_or_else(|| path.to_owned())
}

fn substituted(text: &str, ids: &HashMap<String, String>) -> Option<String> {
    let marks = marks(text);
    if marks.is_empty() {
        return None;
    }
    let (mut out, mut done) = (String::with_capacity(text.len() + 36), 0);
    for (start, end) in marks {
        let Some(id) = text.get(start..end).and_then(|bulk_id| ids.get(bulk_id)) else { continue };
        out.push_str(text.get(done..start - MARK.len()).unwrap_or_default());
        out.push_str(id);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}
