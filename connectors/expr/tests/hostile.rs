//! Expressions and templates that want to hurt: each must end quickly, with a clean error or a correct result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ward;

use std::time::{Duration, Instant};

use connector_expr::{Env, EvalErrorKind, Expr, ExprError, Format, Template, Type, Vars};
use serde_json::json;

fn refused(source: &str) -> ExprError {
    let start = Instant::now();
    let error = Expr::compile(source, &ward::env()).expect_err("this must be refused");
    assert!(start.elapsed() < Duration::from_secs(5), "compiling took too long");
    error
}

#[test]
fn ten_thousand_brackets_are_a_clean_error() {
    refused(&"(".repeat(10_000));
    refused(&format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000)));
    refused(&format!("{}1{}", "[".repeat(10), "]".repeat(10)));
    refused(&"{".repeat(8_000));
    refused(&"f(".repeat(4_000));
}

#[test]
fn chains_as_long_as_the_limits_allow_compile_on_a_small_stack_and_longer_ones_are_refused() {
    let env = Env::new().variable("a", Type::Any);
    for piece in [".a", "[0]", "+a", " in a", "<a", "?a:a", "*a", ".trim()", "-(a", "&&a", "||a", "&&a+a", ",a"] {
        let mut compiled = 0;
        for times in [5, 8, 9, 16, 18, 20, 33, 49, 60, 99, 100, 300, 490, 900, 1_000, 1_600] {
            let closing = ")".repeat(if piece.contains('(') && !piece.contains(')') { times } else { 0 });
            let source = format!("[a{}{closing}]", piece.repeat(times));
            if let Ok(expr) = Expr::compile(&source, &env) {
                compiled += 1;
                let _ = expr.eval(&Vars::new(json!({"a": 1})), ward::now());
            }
        }
        assert!(compiled > 0, "{piece}");
    }
    for prefix in ["!", "-", "!(", "-("] {
        let _ = Expr::compile(&format!("{}a", prefix.repeat(8)), &env);
        refused(&format!("{}a", prefix.repeat(4_000)));
    }
    refused(&"'".repeat(8_001));
    refused(&"a ".repeat(4_000));
    refused(&"\u{0}".repeat(100));
    refused("");
    refused(&"1,".repeat(4_000));
}

#[test]
fn brackets_nest_as_deep_as_allowed_and_are_evaluated() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a': ", "}"), ("string(", ")"), ("[1].map(x, 1)[", "]")] {
        let source = format!("{}1{}", open.repeat(9), close.repeat(9));
        let expr = Expr::compile(&source, &Env::new());
        if let Ok(expr) = expr {
            assert!(expr.eval(&Vars::default(), ward::now()).is_ok());
        }
    }
    let source = format!("{}1{}", "string(".repeat(9), ")".repeat(9));
    let expr = Expr::compile(&source, &Env::new()).unwrap();
    assert_eq!(expr.eval(&Vars::default(), ward::now()).unwrap(), json!("1"));
}

#[test]
fn a_source_over_eight_kibibytes_is_refused() {
    assert!(refused(&format!("'{}'", "x".repeat(8 * 1024))).message.contains("8 KiB"));
}

#[test]
fn a_macro_inside_a_macro_is_refused() {
    let error = refused("user.groups.map(g, user.emails.exists(e, e.value == g.value))");
    assert!(error.message.contains("inside another macro"));
    refused("[1].map(x, [2].map(x, x))");
    refused("[1].map(user, user)");
}

#[test]
fn lists_over_a_thousand_elements_fail_where_they_are_used() {
    let env = Env::new().variable("l", Type::list(Type::Integer)).variable("n", Type::Integer);
    let vars = Vars::new(json!({"l": (0..1_001).collect::<Vec<_>>(), "n": 1}));
    for source in ["n in l", "l.exists(x, x == 1)", "l.map(x, x)", "l + l", "l.first()", "l.join(',')", "l == l"] {
        let error = Expr::compile(source, &env).unwrap().eval(&vars, ward::now()).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::Limit, "{source}");
    }
    let one = Expr::compile("n + 1", &env).unwrap();
    assert_eq!(one.eval(&vars, ward::now()).unwrap(), json!(2));
}

#[test]
fn an_evaluation_ends_when_its_steps_or_bytes_are_used_up() {
    let env = Env::new().variable("l", Type::list(Type::Integer)).variable("s", Type::Text);
    let vars = Vars::new(json!({"l": (0..1_000).collect::<Vec<_>>(), "s": "x".repeat(60_000)}));
    let sources = [
        format!("l.map(x, [{0}, {0}, {0}])", vec!["x"; 90].join("+")),
        "l.map(x, s.upper())".to_owned(),
        "l.all(x, l == l)".to_owned(),
        "s + s".to_owned(),
        "s.replace('x', s)".to_owned(),
        "s.split('x')".to_owned(),
        "l.map(x, s).join('')".to_owned(),
        "s.matches('x*y')".to_owned(),
    ];
    for source in sources {
        let start = Instant::now();
        let error = Expr::compile(&source, &env).unwrap().eval(&vars, ward::now()).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::Limit, "{source}");
        assert!(start.elapsed() < Duration::from_secs(3), "{source}");
    }
    let absorbed = Expr::compile("l.all(x, l == l) || true", &env).unwrap();
    assert!(absorbed.eval(&vars, ward::now()).is_err(), "a used-up budget is not absorbed");
}

#[test]
fn pattern_bombs_are_refused_or_harmless() {
    for pattern in ["(a{99}){99}", "((a{9}){9}){9}{9}", "\\\\w{500}", "(", "a{2,1}"] {
        let error = refused(&format!("user.userName.matches('{pattern}')"));
        assert!(error.message.contains("pattern"), "{error}");
    }
    refused("user.userName.matches(user.nickName)");
    refused(&format!("user.userName.matches('{}')", "(".repeat(100)));
    let env = Env::new().variable("s", Type::Text);
    let expr = Expr::compile("s.matches('^(a+)+$')", &env).unwrap();
    let start = Instant::now();
    let vars = Vars::new(json!({"s": format!("{}b", "a".repeat(8_000))}));
    assert!(!expr.eval_bool(&vars, ward::now()).unwrap());
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn errors_show_no_value() {
    let env = Env::new().variable("s", Type::Any);
    let vars = Vars::new(json!({"s": "geheim"}));
    for source in ["s + 1", "s && true", "int(s)", "s.x", "s < 1", "s.add_days(1)", "timestamp(s)", "-s"] {
        let error = Expr::compile(source, &env).unwrap().eval(&vars, ward::now()).unwrap_err();
        assert!(!error.to_string().contains("geheim"), "{source}: {error}");
    }
    assert!(!format!("{vars:?}").contains("geheim"));
}

#[test]
fn a_template_that_runs_on_or_grows_ends_with_a_limit() {
    let env = Env::new().variable("l", Type::list(Type::Integer)).variable("s", Type::Text);
    let vars = Vars::new(json!({"l": (0..1_000).collect::<Vec<_>>(), "s": "x".repeat(60_000)}));
    let nested = "[{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}1]";
    let large = "[{% for a in l %}{{ s }},{% endfor %}1]";
    for source in [nested, large] {
        let start = Instant::now();
        let error = Template::compile(source, Format::Json, &env).unwrap().render(&vars).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::Limit, "{error}");
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}
