//! Answers to queries and to Bulk (RFC 7644, sections 3.4.2 and 3.7; RFC 9865, section 2).

use crate::Object;
use crate::bulk::BulkMethod;
use serde_json::{Map, Value, json};

/// The URI of the answer to a query.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// The URI of the answer to Bulk.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// The answer to a query: one page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListResponse {
    /// How many resources match, on all pages.
    pub total_results: u64,
    /// The position of the first one, from 1; `None` for pages by cursor.
    pub start_index: Option<u64>,
    /// How many are on this page; `None` counts `resources`.
    pub items_per_page: Option<u32>,
    /// They themselves.
    pub resources: Vec<Object>,
    /// The cursor of the page after this; `None` on the last.
    pub next_cursor: Option<String>,
    /// The cursor of the page before this; `None` on the first.
    pub previous_cursor: Option<String>,
}

impl ListResponse {
    /// The body. What is `None` is left out, never null.
    pub fn to_json(self) -> Value {
        let mut out = Map::new();
        let count = self.items_per_page.map_or(self.resources.len() as u64, u64::from);
        out.insert("schemas".into(), json!([LIST_RESPONSE]));
        out.insert("totalResults".into(), self.total_results.into());
        out.insert("itemsPerPage".into(), count.into());
        out.extend(self.start_index.map(|start| ("startIndex".to_owned(), start.into())));
        out.extend(self.next_cursor.map(|cursor| ("nextCursor".to_owned(), cursor.into())));
        out.extend(self.previous_cursor.map(|cursor| ("previousCursor".to_owned(), cursor.into())));
        out.insert("Resources".into(), self.resources.into_iter().map(Value::Object).collect());
        Value::Object(out)
    }
}

/// What became of one operation of a Bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkResult {
    /// The operation's method.
    pub method: BulkMethod,
    /// The operation's bulkId.
    pub bulk_id: Option<String>,
    /// The version of the resource after it.
    pub version: Option<String>,
    /// The resource's URI; `None` only for a POST that failed.
    pub location: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The body: the error of an operation that failed (a MUST), or the resource.
    pub response: Option<Value>,
}

/// The answer to a Bulk request, in the order of the operations.
pub fn bulk_response(results: Vec<BulkResult>) -> Value {
    let operations: Vec<Value> = results.into_iter().map(BulkResult::into_json).collect();
    json!({ "schemas": [BULK_RESPONSE], "Operations": operations })
}

impl BulkResult {
    fn into_json(self) -> Value {
        let mut out = Map::new();
        out.insert("method".into(), self.method.as_str().into());
        out.extend(self.bulk_id.map(|id| ("bulkId".to_owned(), id.into())));
        out.extend(self.version.map(|version| ("version".to_owned(), version.into())));
        out.extend(self.location.map(|location| ("location".to_owned(), location.into())));
        out.insert("status".into(), self.status.to_string().into());
        out.extend(self.response.map(|response| ("response".to_owned(), response)));
        Value::Object(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_page_says_so_and_leaves_cursors_out() {
        let body = ListResponse { start_index: Some(1), ..ListResponse::default() }.to_json();

        let expected =
            json!({"schemas": [LIST_RESPONSE], "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": []});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_page_by_cursor_has_cursors_and_no_index() {
        let next = Some("abc".to_owned());
        let body =
            ListResponse { total_results: 3, next_cursor: next, resources: vec![Map::new()], ..Default::default() }
                .to_json();

        assert_eq!((&body["nextCursor"], &body["itemsPerPage"]), (&json!("abc"), &json!(1)));
        assert!(body.get("startIndex").is_none() && body.get("previousCursor").is_none());
    }

    #[test]
    fn a_bulk_result_has_its_status_as_text() {
        let result = BulkResult {
            method: BulkMethod::Post,
            bulk_id: Some("a".into()),
            version: None,
            location: None,
            status: 201,
            response: None,
        };

        let body = bulk_response(vec![result]);

        assert_eq!(body["Operations"], json!([{"method": "POST", "bulkId": "a", "status": "201"}]));
    }
}
