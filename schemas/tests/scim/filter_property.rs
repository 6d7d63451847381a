use proptest::prelude::*;
use scim::{AttrPath, Filter, Literal, Op};

fn path() -> impl Strategy<Value = AttrPath> {
    let urn =
        prop::option::weighted(0.2, Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned()));
    (urn, "[a-zA-Z][a-zA-Z0-9_-]{0,8}", prop::option::of("[a-zA-Z][a-zA-Z0-9]{0,6}"))
        .prop_map(|(urn, name, sub)| AttrPath { urn, name, sub })
}

fn sub_path() -> impl Strategy<Value = AttrPath> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,8}".prop_map(AttrPath::name)
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        "[^\\x00]{0,12}".prop_map(Literal::Text),
        any::<i64>().prop_map(|n| Literal::Number(n.into())),
        any::<bool>().prop_map(Literal::Bool),
        Just(Literal::Null),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Eq, Op::Ne, Op::Co, Op::Sw, Op::Ew, Op::Gt, Op::Ge, Op::Lt, Op::Le])
}

fn term(path: impl Strategy<Value = AttrPath> + Clone + 'static) -> impl Strategy<Value = Filter> {
    prop_oneof![
        3 => (path.clone(), op(), literal()).prop_map(|(path, op, value)| Filter::Compare { path, op, value }),
        1 => path.prop_map(Filter::Present),
    ]
}

/// Filters in the form that parsing gives: no `And` in an `And`, no `Or` in an `Or`.
fn nested(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(5, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some.clone().prop_map(|terms| Filter::And(
                terms
                    .into_iter()
                    .flat_map(|term| match term {
                        Filter::And(terms) => terms,
                        other => vec![other],
                    })
                    .collect()
            )),
            some.prop_map(|terms| Filter::Or(
                terms
                    .into_iter()
                    .flat_map(|term| match term {
                        Filter::Or(terms) => terms,
                        other => vec![other],
                    })
                    .collect()
            )),
            inner.prop_map(|term| Filter::Not(Box::new(term))),
        ]
    })
    .boxed()
}

fn any_filter() -> BoxedStrategy<Filter> {
    let whole = AttrPath { urn: None, name: "emails".into(), sub: None };
    let value_path = nested(term(sub_path().boxed()).boxed())
        .prop_map(move |inner| Filter::ValuePath { path: whole.clone(), inner: Box::new(inner) });
    nested(prop_oneof![4 => term(path().boxed()), 1 => value_path].boxed())
}

proptest! {
    #[test]
    fn what_a_filter_prints_reads_as_the_same_filter(filter in any_filter()) {
        prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,64}") {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn another_parser_reads_what_we_print_as_we_mean_it(filter in any_filter()) {
        let theirs: scim_v2::filter::Filter = filter.to_string().parse().unwrap();

        prop_assert_eq!(Filter::parse(&theirs.to_string()).unwrap(), filter);
    }

    #[test]
    fn another_parser_takes_and_refuses_the_same_sentences(words in prop::collection::vec(prop::sample::select(vec![
        "userName", "emails", "a.b", "eq", "pr", "and", "or", "not (", "(", ")", "\"x\"", "eq true", "12", "ge",
    ]), 1..9)) {
        let text = words.join(" ");

        let ours = Filter::parse(&text);
        let theirs = text.parse::<scim_v2::filter::Filter>();

        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(Filter::parse(&theirs.to_string()).unwrap(), ours);
        }
    }
}
