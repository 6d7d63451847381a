//! Values that mean something to somebody.

use super::*;
use fixtures::hostile_values::corpus;

/// Long enough for every list of what people try, short enough for an address.
const LONGEST: usize = 40;

#[tokio::test]
async fn three_hundred_hostile_values_come_back_as_they_were_and_change_nothing_else() {
    let corpus = corpus(LONGEST);
    assert!(corpus.len() >= 300);
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
        for (number, value) in corpus.iter().map(|one| one.text.clone()).enumerate() {
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
