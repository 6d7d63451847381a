use super::*;
use crate::envelope::written;

fn names() -> Names {
    Names::new([("p".to_owned(), "urn:p".to_owned()), ("q".to_owned(), "urn:q".to_owned())].into())
}

fn env() -> Env {
    let attrs = Type::object([("name", Type::Text), ("note", Type::Text), ("on", Type::Boolean)]);
    let one = Type::object([("value", Type::Text), ("order", Type::Integer)]);
    Env::new().variable("id", Type::Text).variable("attrs", attrs).variable("all", Type::list(one))
}

fn compiled(source: &str) -> std::result::Result<Template, Vec<connector_spi::ConfigIssue>> {
    let mut issues = Issues::default();
    Template::compile(source, &names(), &env(), "/body", &mut issues).ok_or(issues.0)
}

fn filled(source: &str, values: Json) -> String {
    let element = compiled(source).unwrap().fill(&Filling::new(values)).unwrap();
    let whole = String::from_utf8(written(&element, &names()).unwrap()).unwrap();
    whole.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap().to_owned()
}

#[test]
fn a_value_is_text_whatever_it_holds() {
    let template = compiled("<p:a x='{attrs.name}'><p:b>{attrs.name}</p:b></p:a>").unwrap();
    for hostile in [
        "</p:b><p:admin/>",
        "]]>",
        "<![CDATA[",
        "&lt;&#60;&amp;",
        "\"' onload='",
        "<!--",
        "-->",
        "<?xml?>",
        "{id}",
        "{{7*7}}",
        "a\tb\nc\rd",
        " lead and trail ",
        "\u{85}\u{2028}\u{feff}",
        "\u{202e}ltr",
        "李\u{1F469}\u{200D}\u{2695}",
        "xmlns:p='urn:evil'",
    ] {
        let element = template.fill(&Filling::new(json!({"attrs": {"name": hostile}, "id": "no"}))).unwrap();
        let back = document::parse(&written(&element, &names()).unwrap()).unwrap();
        assert_eq!(back, element, "{hostile:?}");
        assert_eq!(back.children[0].text, hostile);
        assert_eq!(back.attributes[0].value, hostile);
    }
}

#[test]
fn a_character_that_xml_cannot_carry_is_refused_by_the_attribute_s_name() {
    let template = compiled("<p:a>{attrs.name}</p:a>").unwrap();
    for value in ["\0", "a\u{1}b", "\u{1b}[0m", "\u{fffe}", "\u{ffff}"] {
        let error = template.fill(&Filling::new(json!({"attrs": {"name": value}}))).unwrap_err();
        assert_eq!((error.class, error.attribute.as_deref()), (connector_spi::Class::Invalid, Some("name")));
    }
}

#[test]
fn an_element_whose_expressions_are_all_null_is_left_out_with_its_constants() {
    let source = "<p:a><p:id><p:value>{attrs.name}</p:value><p:type>X</p:type></p:id><p:fixed>1</p:fixed></p:a>";
    assert_eq!(filled(source, json!({})), r#"<p:a xmlns:p="urn:p"><p:fixed>1</p:fixed></p:a>"#);
    let whole = filled(source, json!({"attrs": {"name": "n"}}));
    assert!(whole.contains("<p:id><p:value>n</p:value><p:type>X</p:type></p:id>"), "{whole}");
}

#[test]
fn an_empty_text_is_not_null_and_the_root_is_always_written() {
    assert_eq!(
        filled("<p:a><p:b>{attrs.name}</p:b></p:a>", json!({"attrs": {"name": ""}})),
        r#"<p:a xmlns:p="urn:p"><p:b></p:b></p:a>"#
    );
    assert_eq!(filled("<p:a>{id}</p:a>", json!({})), r#"<p:a xmlns:p="urn:p"></p:a>"#);
}

#[test]
fn a_list_is_written_once_for_each_item_with_its_number() {
    let source =
        "<p:a><q:b t:each='all'><q:n>{index}</q:n><q:v>{item.value}</q:v></q:b><q:none t:if='size(all) == 0'/></p:a>";
    let two = filled(source, json!({"all": [{"value": "x"}, {"value": "y"}]}));
    assert!(two.contains("<q:b><q:n>1</q:n><q:v>x</q:v></q:b><q:b><q:n>2</q:n><q:v>y</q:v></q:b></p:a>"), "{two}");
    let none = filled(source, json!({"all": []}));
    assert!(none.ends_with("<q:none></q:none></p:a>"), "{none}");
}

#[test]
fn a_brace_is_written_twice_and_booleans_as_xml_schema_has_them() {
    assert_eq!(filled("<p:a>{{{id}}}</p:a>", json!({"id": "1"})), r#"<p:a xmlns:p="urn:p">{1}</p:a>"#);
    assert!(filled("<p:a>{attrs.on}</p:a>", json!({"attrs": {"on": true}})).contains(">true<"));
}

#[test]
fn what_is_wrong_with_a_template_is_said_when_the_file_is_read() {
    for (source, piece) in [
        ("<p:a>{idd}</p:a>", "idd"),
        ("<p:a>{id</p:a>", "brace"),
        ("<p:a>}</p:a>", "brace"),
        ("<x:a/>", "well-formed"),
        ("<p:a><p:b></p:a>", "well-formed"),
        ("<p:a/><p:b/>", "one element"),
        ("<p:a xmlns:z='urn:z'/>", "namespace"),
        ("<p:a t:for='all'/>", "t:for"),
        ("<p:a t:each='all'><p:b>{item.valeu}</p:b></p:a>", "valeu"),
        ("<p:a>text<p:b/></p:a>", "both"),
        ("<p:a>{now}</p:a>", "clock"),
        ("<!DOCTYPE a><p:a/>", "document type"),
    ] {
        let issues = compiled(source).err().unwrap_or_default();
        assert!(issues.iter().any(|issue| issue.message.contains(piece)), "{source}: {issues:?}");
        assert!(issues.iter().all(|issue| issue.pointer == "/body"));
    }
}

#[test]
fn what_it_reads_is_known() {
    let template = compiled("<p:a><p:b t:if='attrs.on'>{attrs.name}</p:b></p:a>").unwrap();
    assert!(template.reads("attrs.on") && template.reads("attrs.name") && !template.reads("id"));
}
