//! What an expression reads, its views of a result, and that it may be shared between threads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ward;

use connector_expr::{Env, EvalErrorKind, Expr, Template, Type, Vars};
use serde_json::json;

fn compiled(source: &str) -> Expr {
    Expr::compile(source, &ward::env()).unwrap()
}

fn reads(source: &str) -> Vec<String> {
    compiled(source).references().iter().cloned().collect()
}

#[test]
fn references_name_the_declared_attributes_that_are_read() {
    assert_eq!(reads("user.name.familyName + user.userName"), ["user.name.familyName", "user.userName"]);
    assert_eq!(reads("user.emails.primary().value"), ["user.emails.value"]);
    assert_eq!(reads("user.emails[0].type"), ["user.emails.type"]);
    assert_eq!(reads("user.groups.exists(g, g.value == 'x')"), ["user.groups", "user.groups.value"]);
    assert_eq!(reads("has(user.nickName) ? user.costs.ward7 : ''"), ["user.costs", "user.nickName"]);
    assert_eq!(reads("now > timestamp('2026-01-01')"), Vec::<String>::new());
}

#[test]
fn an_expression_tells_whether_a_change_can_matter_to_it() {
    let expr = compiled("user.groups.exists(g, g.value == 'x') && user.name.familyName == 'y'");
    assert!(expr.reads("user.groups"));
    assert!(expr.reads("user.name"));
    assert!(expr.reads("user"));
    assert!(!expr.reads("user.name.givenName"));
    assert!(!expr.reads("user.nam"));
    assert!(compiled("unique_suffix(1)").has_candidates());
    assert!(!expr.has_candidates());
    assert_eq!(expr.result(), &Type::Boolean);
}

#[test]
fn results_are_viewed_as_condition_text_or_list() {
    let vars = Vars::new(ward::person());
    let text = |source| compiled(source).eval_text(&vars, ward::now());
    assert_eq!(text("user.logins").unwrap().as_deref(), Some("41"));
    assert_eq!(text("user.active").unwrap().as_deref(), Some("true"));
    assert_eq!(text("user.nickName").unwrap(), None);
    assert_eq!(text("user.groups").unwrap_err().kind, EvalErrorKind::Type);
    let list = |source| compiled(source).eval_list(&vars, ward::now()).unwrap();
    assert_eq!(list("user.nickName"), Vec::<serde_json::Value>::new());
    assert_eq!(list("user.userName"), [json!("t12example")]);
    assert_eq!(list("[1, null, 2]"), [json!(1), json!(2)]);
    let truth = |source| compiled(source).eval_bool(&vars, ward::now());
    assert!(!truth("user.suspended").unwrap());
    assert!(truth("user.active").unwrap());
    assert_eq!(truth("user.free").unwrap_err().kind, EvalErrorKind::Type);
}

#[test]
fn compiled_expressions_and_templates_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expr>();
    shared::<Template>();
    shared::<Vars>();
    shared::<Env>();
}
