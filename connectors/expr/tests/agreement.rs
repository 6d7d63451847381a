//! Our evaluator against the interpreter of the `cel` crate, on the language they share: wherever that gives a value, ours
//! gives the same. (Null, timestamps, optional values and the macros' depth are ours alone.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use connector_expr::{Env, Expr, Type, Vars};
use proptest::prelude::*;
use serde_json::{Value, json};

fn number() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-9_i64..9).prop_map(|n| n.to_string()),
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("o.n".to_owned()),
        Just("size(s)".to_owned()),
        Just("l.size()".to_owned()),
        (0_usize..3).prop_map(|n| format!("l[{n}]")),
        Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), inner, "[-+*/%]").prop_map(|(x, y, op)| format!("({x} {op} {y})"))
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        "[a-cü]{0,3}".prop_map(|t| format!("'{t}'")),
        Just("s".to_owned()),
        Just("o.t".to_owned()),
        Just("o['t']".to_owned()),
    ];
    (leaf.clone(), leaf, any::<bool>()).prop_map(|(x, y, both)| if both { format!("({x} + {y})") } else { x }).boxed()
}

fn condition() -> BoxedStrategy<String> {
    let compare = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let leaf = prop_oneof![
        Just("p".to_owned()),
        Just("true".to_owned()),
        Just("has(o.t)".to_owned()),
        (number(), compare.clone(), number()).prop_map(|(x, op, y)| format!("({x} {op} {y})")),
        (text(), compare, text()).prop_map(|(x, op, y)| format!("({x} {op} {y})")),
        (number(), prop_oneof![Just("exists"), Just("all"), Just("exists_one")])
            .prop_map(|(n, m)| format!("l.{m}(x, x < {n} || x / (x - 1) == 2)")),
        number().prop_map(|n| format!("({n} in l)")),
        (text(), text(), prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")])
            .prop_map(|(x, y, f)| format!("{x}.{f}({y})")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|x| format!("!({x})")),
            (inner.clone(), inner.clone()).prop_map(|(x, y)| format!("({x} && {y})")),
            (inner.clone(), inner.clone()).prop_map(|(x, y)| format!("({x} || {y})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(x, y, z)| format!("({x} ? {y} : {z})")),
        ]
    })
    .boxed()
}

fn expression() -> impl Strategy<Value = String> {
    prop_oneof![
        number(),
        text(),
        condition(),
        (condition(), number(), number()).prop_map(|(c, x, y)| format!("{c} ? {x} : {y}")),
        (number(), number()).prop_map(|(x, y)| format!("l.map(x, x * {x} + {y})")),
        (number(), number()).prop_map(|(x, y)| format!("l.filter(x, x > {x}).map(x, x < {y}, [x, {y}])")),
        (number(), text()).prop_map(|(x, y)| format!("{{'n': {x}, 't': [{y}]}}")),
        number().prop_map(|x| format!("l + [{x}] == [1, {x}]")),
    ]
}

/// JSON for `cel`, all numbers signed: its own conversion makes them unsigned, and mixing is an error there.
fn signed(value: &Value) -> cel::Value {
    match value {
        Value::Number(number) => cel::Value::Int(number.as_i64().unwrap()),
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Array(items) => cel::Value::from(items.iter().map(signed).collect::<Vec<_>>()),
        Value::Object(fields) => {
            let fields: std::collections::HashMap<String, cel::Value> =
                fields.iter().map(|(name, value)| (name.clone(), signed(value))).collect();
            cel::Value::from(fields)
        }
        Value::Null => cel::Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn where_cel_gives_a_value_ours_gives_the_same(source in expression()) {
        let env = Env::new()
            .variable("a", Type::Integer)
            .variable("b", Type::Integer)
            .variable("s", Type::Text)
            .variable("p", Type::Boolean)
            .variable("l", Type::list(Type::Integer))
            .variable("o", Type::object([("n", Type::Integer), ("t", Type::Text)]));
        let variables = json!({"a": 3, "b": -7, "s": "abc", "p": false, "l": [1, 2, 5], "o": {"n": 4, "t": "b"}});
        let mut context = cel::Context::default();
        for (name, value) in variables.as_object().unwrap() {
            context.add_variable_from_value(name.clone(), signed(value));
        }
        let theirs = cel::Program::compile(&source).unwrap().execute(&context);
        let compiled = Expr::compile(&source, &env);
        // Ours is bounded: now and then one is made here that nests deeper than it takes.
        prop_assume!(!compiled.as_ref().is_err_and(|error| error.message.contains("nest deeper than")));
        let ours = compiled
            .unwrap_or_else(|error| panic!("{source}: {error}"))
            .eval(&Vars::new(variables), jiff::Timestamp::UNIX_EPOCH);
        match theirs {
            Ok(value) => {
                let value: Value = value.json().unwrap();
                prop_assert_eq!(ours, Ok(value), "{}", source);
            }
            Err(error) => prop_assert!(ours.is_err(), "{}: cel fails ({}), ours gives {:?}", source, error, ours),
        }
    }
}
