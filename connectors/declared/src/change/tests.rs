use super::*;
use connector_spi::NativeId;

fn placed(value: &str, order: u32) -> Entitlement {
    Entitlement { order: Some(order), ..Entitlement::new("sub-template", value) }
}

fn values(list: &[Entitlement]) -> Vec<&str> {
    list.iter().map(|one| one.value.as_str()).collect()
}

fn moves() -> Moves<&'static str> {
    let giving = |single: bool, whole: bool| Giving {
        single,
        add: (!whole).then_some("add"),
        remove: (!whole).then_some("remove"),
        replace: whole.then_some("replace"),
    };
    Moves {
        updatable: [("name".to_owned(), true), ("npi".to_owned(), false)].into(),
        steps: vec![Step { takes: vec![], when: None, request: "update", clear: Some("clear") }],
        states: [
            (AccountState::Disabled, vec!["block", "log-out", "inactivate"]),
            (AccountState::Enabled, vec!["unblock", "activate"]),
        ]
        .into(),
        entitlements: [
            (Kind::from("sub-template"), giving(false, true)),
            (Kind::from("group"), giving(false, false)),
            (Kind::from("position"), giving(true, false)),
        ]
        .into(),
    }
}

fn requests(
    change: &EntitlementChange,
    attrs: &[(&str, Option<&str>)],
    state: Option<AccountState>,
) -> Vec<&'static str> {
    let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), value.map(|v| vec![Value::from(v)]))).collect();
    let worked = Worked { attrs: &attrs, entitlements: change, whole: change.whole.as_deref(), state };
    let moves = moves();
    let ordered = order(&moves, &worked, &Vars::default()).unwrap();
    ordered.acts.iter().map(|act| *act.request).collect()
}

#[test]
fn closing_goes_first_and_opening_last() {
    let change = EntitlementChange {
        add: vec![Entitlement::new("group", "a")],
        remove: vec![Entitlement::new("group", "b")],
        whole: None,
    };
    let name = [("name", Some("x"))];
    assert_eq!(
        requests(&change, &name, Some(AccountState::Disabled)),
        ["block", "log-out", "inactivate", "remove", "update", "add"]
    );
    assert_eq!(
        requests(&change, &name, Some(AccountState::Enabled)),
        ["remove", "update", "add", "unblock", "activate"]
    );
}

#[test]
fn a_single_one_is_replaced_by_giving_the_next() {
    let change = EntitlementChange {
        add: vec![Entitlement::new("position", "new")],
        remove: vec![Entitlement::new("position", "old")],
        whole: None,
    };
    assert_eq!(requests(&change, &[], None), ["add"]);
}

#[test]
fn a_whole_list_that_shrinks_goes_before_attributes_and_one_that_grows_after() {
    let grown = EntitlementChange { add: vec![placed("A", 1)], remove: vec![], whole: Some(vec![placed("A", 1)]) };
    assert_eq!(requests(&grown, &[("name", None)], None), ["clear", "replace"]);
    let shrunk = EntitlementChange { add: vec![], remove: vec![placed("B", 2)], whole: Some(vec![]) };
    assert_eq!(requests(&shrunk, &[("name", None)], None), ["replace", "clear"]);
    let swapped = EntitlementChange { remove: vec![placed("B", 2)], ..grown };
    assert_eq!(requests(&swapped, &[("name", None)], None), ["clear", "replace"]);
}

#[test]
fn a_whole_list_that_was_not_read_is_not_written() {
    let change = EntitlementChange { add: vec![], remove: vec![placed("A", 1)], whole: None };
    let attrs = BTreeMap::new();
    let worked = Worked { attrs: &attrs, entitlements: &change, whole: None, state: Some(AccountState::Enabled) };
    let moves = moves();
    let ordered = order(&moves, &worked, &Vars::default()).unwrap();
    assert_eq!(ordered.failed[0].part, "sub-template:A");
    assert!(ordered.held);
}

#[test]
fn what_was_asked_for_keeps_its_place_and_what_others_gave_moves_aside() {
    let ours = [placed("A", 1), placed("B", 2)];
    let whole = vec![placed("X", 1), placed("Y", 2), placed("A", 1), placed("B", 2)];
    assert_eq!(values(&in_order(whole, &ours)), ["A", "B", "X", "Y"]);

    let third = [placed("C", 3)];
    let whole = vec![placed("X", 1), placed("Y", 2), placed("Z", 3), placed("C", 3)];
    assert_eq!(values(&in_order(whole, &third)), ["X", "Y", "C", "Z"]);
}

#[test]
fn a_place_beyond_the_end_is_the_end() {
    let ninth = [placed("A", 9)];
    assert_eq!(values(&in_order(vec![placed("X", 1), placed("A", 9)], &ninth)), ["X", "A"]);
    assert_eq!(values(&in_order(vec![placed("A", 9)], &ninth)), ["A"]);
}

#[test]
fn an_attribute_that_cannot_change_is_refused_by_name() {
    let attrs = [("npi".to_owned(), None), ("nonsense".to_owned(), None)].into();
    let change = EntitlementChange::default();
    let worked = Worked { attrs: &attrs, entitlements: &change, whole: None, state: None };
    let moves = moves();
    let ordered = order(&moves, &worked, &Vars::default()).unwrap();
    let parts: Vec<_> = ordered.failed.iter().map(|failed| failed.part.as_str()).collect();
    assert_eq!(parts, ["nonsense", "npi"]);
}

#[test]
fn single_values_are_added_to_what_is_held_and_nothing_left_is_a_clearing() {
    let record = Record {
        kind: Kind::from("account"),
        id: NativeId::from("1"),
        natural_key: BTreeMap::new(),
        attrs: [("tags".to_owned(), vec![Value::from("a")])].into(),
        state: AccountState::Enabled,
        entitlements: None,
        incomplete: false,
        version: None,
    };
    let delta = |add: &[&str], remove: &[&str]| {
        let values = |of: &[&str]| of.iter().map(|text| Value::from(*text)).collect();
        [("tags".to_owned(), Delta::Patch { add: values(add), remove: values(remove) })].into()
    };
    assert_eq!(work_out(&delta(&["b"], &[]), Some(&record))["tags"], Some(vec![Value::from("a"), Value::from("b")]));
    assert_eq!(work_out(&delta(&[], &["a"]), Some(&record))["tags"], Some(vec![]));
}
