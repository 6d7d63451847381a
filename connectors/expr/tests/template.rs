//! What templates promise: a value fills its place and changes nothing around it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ward;

use connector_expr::{Env, Format, Template, Type, Vars};
use proptest::prelude::*;
use serde_json::{Value, json};

fn json_of(source: &str, vars: &Vars) -> Value {
    Template::compile(source, Format::Json, &ward::env()).unwrap().render_json(vars).unwrap()
}

#[test]
fn a_body_is_built_from_values_conditions_and_lists() {
    let source = r#"{
        "username": {{ user.userName }}, "n": {{ user.logins }}, "physician": {{ user.clinician.kind == 'human' }},
        {% if user.nickName is none %}"nick": null,{% endif %}
        "groups": [{% for g in user.groups %}{"id": {{ g.value }}}{% if not loop.last %},{% endif %}{% endfor %}],
        "name": {{ user.name | json }}, "manager": {{ user.manager }}, "boss": {{ user.manager.displayName | default('none') }}
    }"#;
    assert_eq!(
        json_of(source, &Vars::new(ward::person())),
        json!({
            "username": "t12example", "n": 41, "physician": true, "nick": null,
            "groups": [{"id": "g-1"}, {"id": "g-2"}],
            "name": {"familyName": "Example-Größe", "givenName": "Testperson 12"}, "manager": null, "boss": "none"
        })
    );
}

#[test]
fn absent_attributes_are_null_and_undeclared_ones_are_refused() {
    assert_eq!(json_of("[{{ user.nickName }}, {{ user.manager.kind }}]", &Vars::default()), json!([null, null]));
    assert_eq!(json_of("{% if user.manager %}1{% else %}2{% endif %}", &Vars::new(ward::person())), json!(2));
    let error = Template::compile("[\n {{ user.username }}]", Format::Json, &ward::env()).unwrap_err();
    assert_eq!((error.line, error.hint.as_deref()), (2, Some("did you mean `userName`?")));
    assert!(Template::compile("{{ usr }}", Format::Json, &ward::env()).is_err());
    let loose =
        Template::compile("[{% for g in user.groups %}{{ g.nothing }}{% endfor %}]", Format::Json, &ward::env());
    assert!(loose.unwrap().render(&Vars::new(ward::person())).is_err());
}

#[test]
fn a_value_inside_a_json_string_or_a_tag_is_refused_when_compiled() {
    let env = ward::env();
    for source in [
        r#"{"a": "{{ user.userName }}"}"#,
        r#"{"{{ user.userName }}": 1}"#,
        r#"{"a": "x{% if user.active %}"{% else %}y"{% endif %}}"#,
        r#"{"a": "{# "#,
        "{{ user.userName",
        r#"{"a"#,
    ] {
        assert!(Template::compile(source, Format::Json, &env).is_err(), "{source}");
    }
    for source in [
        "<{{ user.userName }}/>",
        "<a {{ user.userName }}/>",
        "<a b={{ user.userName }}/>",
        "<!-- {{ user.userName }} -->",
        "<![CDATA[{{ user.userName }}]]>",
        "<?x {{ user.userName }}?>",
        "<!DOCTYPE a>",
        "<a {% if user.active %}b=''{% endif %}/>",
        "<a",
    ] {
        assert!(Template::compile(source, Format::Xml, &env).is_err(), "{source}");
    }
}

#[test]
fn there_is_no_way_around_the_escaping() {
    let env = ward::env();
    for source in [
        "{{ user.userName | safe }}",
        "{{ user.userName | escape }}",
        "{% autoescape false %}{{ user.userName }}{% endautoescape %}",
        "{% raw %}\"{% endraw %}{{ user.userName }}",
        "{%- raw -%}\"{%- endraw -%}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x %}{{ user.userName }}{% endset %}{{ x }}",
        "{% filter upper %}a{% endfilter %}",
        "{{ range(9) }}",
    ] {
        assert!(Template::compile(source, Format::Json, &env).is_err(), "{source}");
    }
}

#[test]
fn a_body_that_is_no_json_or_has_a_key_twice_fails() {
    let vars = Vars::new(ward::person());
    for source in [
        "{{ user.logins }}{{ user.logins }}",
        "1{{ user.logins }}",
        "[{{ user.logins }},]",
        r#"{"t12example": 1, {{ user.userName }}: 2}"#,
    ] {
        let template = Template::compile(source, Format::Json, &ward::env()).unwrap();
        assert!(template.render(&vars).is_err(), "{source}");
    }
}

#[test]
fn xml_takes_single_values_only() {
    let vars = Vars::new(ward::person());
    let render = |source| Template::compile(source, Format::Xml, &ward::env()).unwrap().render(&vars);
    assert_eq!(
        render("<?xml version='1.0'?><a b=\"{{ user.logins }}\"><!-- x -->{{ user.userName }}{{ user.nickName }}</a>")
            .unwrap(),
        "<?xml version='1.0'?><a b=\"41\"><!-- x -->t12example</a>"
    );
    assert!(render("<a>{{ user.groups }}</a>").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_value_changes_the_structure_of_a_json_body(text in any::<String>(), key in "[\"{}:,\\[\\]\\\\a]{0,8}", n in any::<i64>()) {
        let env = Env::new().variable("v", Type::Any).variable("k", Type::Text).variable("n", Type::Integer);
        let template = Template::compile(r#"{"a": {{ v }}, "b": [{{ n }}, {{ k | upper }}], "c": {"d": {{ k }}}}"#, Format::Json, &env).unwrap();
        let vars = Vars::new(json!({"v": text, "k": key, "n": n}));
        let made = template.render_json(&vars).unwrap();
        prop_assert_eq!(made, json!({"a": text, "b": [n, key.to_uppercase()], "c": {"d": key}}));
    }

    #[test]
    fn no_value_changes_the_structure_of_an_xml_body(text in "[^\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,20}") {
        let env = Env::new().variable("v", Type::Text);
        let template = Template::compile("<a b='{{ v }}'>{{ v }}</a>", Format::Xml, &env).unwrap();
        let made = template.render(&Vars::new(json!({"v": text}))).unwrap();
        prop_assert_eq!(made.matches('<').count(), 2);
        prop_assert_eq!(made.matches('\'').count(), 2);
        prop_assert_eq!(made.matches('>').count(), 2);
    }
}
