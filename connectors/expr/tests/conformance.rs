//! The library and its null rules as data: `conformance.json` holds each expression with what it gives, how it fails or
//! where it is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ward;

use connector_expr::{EvalErrorKind, Expr, Vars};
use serde_json::Value;

#[test]
fn every_expression_gives_what_the_conformance_file_says() {
    let env = ward::env();
    let vars = Vars::new(ward::person());
    let now = ward::now();
    let rows: Vec<Value> = serde_json::from_str(include_str!("conformance.json")).unwrap();
    assert!(rows.len() > 100);

    let mut wrong = Vec::new();
    for row in &rows {
        let source = row["expr"].as_str().unwrap();
        let vars = vars.candidate(row["candidate"].as_u64().unwrap_or(0) as u32);
        let found = match Expr::compile(source, &env) {
            Err(error) => serde_json::json!({
                "refused": [error.line, error.column], "hint": error.hint, "message": error.message
            }),
            Ok(expr) => match expr.eval(&vars, now) {
                Ok(value) => serde_json::json!({ "is": value }),
                Err(error) => serde_json::json!({ "fails": kind(error.kind), "message": error.message }),
            },
        };
        let asked = ["is", "fails", "refused", "hint"];
        if asked.iter().any(|key| row.get(key) != found.get(key)) {
            wrong.push(format!("{source}\n   wanted {row}\n   found  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kind(kind: EvalErrorKind) -> &'static str {
    match kind {
        EvalErrorKind::Type => "type",
        EvalErrorKind::Value => "value",
        EvalErrorKind::Limit => "limit",
    }
}
