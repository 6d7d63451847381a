//! Values that mean something to somebody.

use super::*;

/// Three hundred values that mean something to somebody: JSON, filters, paths, URLs, SQL, LDAP, XML, shells, terminals.
fn hostile() -> Vec<String> {
    let seeds = [
        "\"",
        "\\",
        "\\\"",
        "\" or \"\" eq \"",
        "a\" or userName pr or userName eq \"b",
        "\"]",
        "x\"].value",
        "]) and (",
        "'; DROP TABLE users; --",
        "*)(uid=*",
        "../../etc/passwd",
        "..",
        ".",
        "%2e%2e%2f",
        "%00",
        "a/b?c=d&e=f#g",
        "+",
        "a b",
        "<b>&amp;</b>]]>",
        "&#x41;",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "$(id)",
        "`id`",
        "\u{202e}txt",
        "\u{feff}bom",
        "李小龍",
        "𝒳𝓎",
        "e\u{301}",
        "\u{1F469}\u{200D}\u{2695}\u{FE0F}",
        "\t",
        "\n",
        "\r\nSet-Cookie: x",
        "\u{7f}",
        "\u{1}",
        "null",
        "true",
        "1e999",
        "-0",
        "[]",
        "{}",
        "urn:ietf:params:scim",
        "emails[type eq \"work\"]",
        "and",
        "not(",
        "=cmd|' /C calc'!A0",
        "İstanbul",
        "ß",
        "ſ",
        "a\u{0}b",
    ];
    let around: [fn(&str) -> String; 6] = [
        |seed| seed.to_owned(),
        |seed| format!("Test{seed}person"),
        |seed| format!("{seed}{seed}"),
        |seed| format!(" {seed} "),
        |seed| format!("{seed}\""),
        |seed| seed.chars().rev().collect(),
    ];
    seeds.iter().flat_map(|seed| around.iter().map(|around| around(seed))).collect()
}

#[tokio::test]
async fn three_hundred_hostile_values_come_back_as_they_were_and_change_nothing_else() {
    assert_eq!(hostile().len(), 300);
    for (options, settings) in
        [(Options::default(), json!({})), (Options::put_only(), json!({})), (Options::strict(), strict())]
    {
        let mut settings = settings;
        let attributes = [
            "userName",
            "externalId",
            "title",
            "name.familyName",
            "emails[type eq \"work\"].value",
            "phoneNumbers.value",
        ];
        support::laid_over(&mut settings, json!({"account": {"attributes": attributes, "allow_delete": true}}));
        let stage = Stage::set(options, settings).await;
        let witness = people_as(&stage, "witness").await;
        let before = stage.one("users", &witness);
        for (number, value) in hostile().into_iter().enumerate() {
            // given an account with the value in every place
            let name = format!("{value}#{number}");
            let mut values =
                attrs(&[("userName", &name), ("externalId", &name), ("title", &value), ("name.familyName", &value)]);
            values.insert("emails[type eq \"work\"].value".into(), vec![Value::from(value.as_str())]);
            let made = stage.target.create(&stage.cx("c"), &account(), &values, ENABLED, &[]).await.unwrap();

            // when it is looked for and changed
            let by_mark = stage.target.find(&stage.cx("f"), &account(), &key("externalId", &name)).await.unwrap();
            let mut change =
                with_attr("emails[type eq \"work\"].value", Delta::Set(vec![Value::from(format!("{value}!"))]));
            let patch = Delta::Patch { add: vec![Value::from(value.as_str())], remove: Vec::new() };
            change.attrs.insert("phoneNumbers.value".into(), patch);
            stage.target.update(&stage.cx("u"), &account(), &made.id, &change).await.unwrap();
            let patch = Delta::Patch { add: Vec::new(), remove: vec![Value::from(value.as_str())] };
            let read = stage.target.get(&stage.cx("g"), &account(), &made.id).await.unwrap().unwrap();
            stage
                .target
                .update(&stage.cx("u"), &account(), &made.id, &with_attr("phoneNumbers.value", patch))
                .await
                .unwrap();

            // then it is the one that was meant, and holds what was given
            assert_eq!(by_mark.iter().map(|record| &record.id).collect::<Vec<_>>(), [&made.id], "{value:?}");
            assert_eq!(read.attrs["title"], [Value::from(value.as_str())]);
            assert_eq!(read.attrs["name.familyName"], [Value::from(value.as_str())]);
            assert_eq!(read.attrs["emails[type eq \"work\"].value"], [Value::from(format!("{value}!"))]);
            assert_eq!(read.attrs["phoneNumbers.value"], [Value::from(value.as_str())]);
            let after = stage.target.get(&stage.cx("g"), &account(), &made.id).await.unwrap().unwrap();
            assert_eq!(after.attrs.get("phoneNumbers.value"), None, "{value:?}");
            // An id that is hostile reaches no resource.
            assert_eq!(
                stage.target.get(&stage.cx("g"), &account(), &NativeId(value.clone())).await.unwrap_or(None),
                None
            );
            let _refused = stage.target.delete(&stage.cx("d"), &account(), &NativeId(value)).await;
            stage.target.delete(&stage.cx("d"), &account(), &made.id).await.unwrap();
        }
        assert_eq!(stage.one("users", &witness), before);
        assert_eq!(stage.all("users").len(), 2);
    }
}
