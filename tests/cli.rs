//! The command line, as an operator sees it: every command against a running gateway, for people and as JSON.

use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::ehr_sql::EhrSql;
use fixtures::faults::Fault;
use harness::hospital::Wiring;
use harness::{Gateway, Hospital, TestDirectory};
use serde_json::{Value, json};
use std::time::Duration;

fn person(name: &str, title: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "title": title,
        "name": { "familyName": "Example", "givenName": "Test" },
    })
}

/// What a command that must succeed prints.
fn said(gateway: &Gateway, arguments: &[&str]) -> String {
    let out = gateway.cli(arguments);
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn json_of(gateway: &Gateway, arguments: &[&str]) -> Value {
    let text = said(gateway, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?} prints JSON: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_how_targets_and_links_stand_what_would_change_and_tries_again() {
    let tree = TestDirectory::start("the command line").await;
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    ehr.faults().plan("CreatePersonnel", Fault::Code("UNKNOWN_CODE".into()), 1);
    let user = client.post("/Users", &person("operated", "Registered Nurse")).await.id();
    gateway.settled(Duration::from_secs(30)).await;

    // status
    let text = said(&gateway, &["status"]);
    assert!(text.contains("TARGET") && text.contains("directory") && text.contains("1 refused"), "{text}");
    assert_eq!(gateway.target("ehr")["parked"], json!({ "refused": 1 }));
    assert_eq!(
        (&gateway.target("directory")["linked"], &gateway.target("directory")["breaker"]),
        (&json!(1), &json!("closed"))
    );

    // links
    let text = said(&gateway, &["links", "--resource", &user]);
    assert!(text.contains("ehr") && text.contains("directory") && text.contains("Invalid"), "{text}");
    assert_eq!(gateway.links(&["--resource", &user]).len(), 2);
    assert_eq!(gateway.links(&["--target", "directory", "--state", "linked"]).len(), 1);
    assert_eq!(gateway.links(&["--state", "disputed"]).len(), 0);

    // plan: told, and not done
    let text = said(&gateway, &["plan", &user]);
    assert!(text.contains("ehr") && text.contains("access"), "{text}");
    let plan = json_of(&gateway, &["plan", &user]);
    let targets = plan["targets"].as_array().unwrap();
    let of = |name: &str| targets.iter().find(|target| target["target"] == name).unwrap();
    assert_ne!(of("ehr")["would"], of("directory")["would"], "{plan:#}");
    assert_eq!(ehr.state()["accounts"], json!([]));
    assert!(!gateway.cli(&["plan", "nobody-has-this-id"]).status.success());

    // retry
    assert!(!gateway.cli(&["retry"]).status.success(), "a slip must not set everything off");
    assert_eq!(json_of(&gateway, &["retry", "--target", "ehr", "--state", "parked"])["links"], 1);
    gateway.settled(Duration::from_secs(30)).await;
    assert_eq!(gateway.target("ehr")["linked"], 1);
    assert_eq!(ehr.state()["accounts"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_rotated_and_taken_out_of_use() {
    let hospital = Hospital::new(&Wiring::default());
    let gateway = Gateway::serve(&hospital.config);

    let first = gateway.token("entra");
    let second = json_of(&gateway, &["token", "create", "entra", "--expires", "90d"]);
    let second = second["token"].as_str().unwrap().to_owned();
    let third = gateway.cli(&["token", "create", "entra"]);
    assert!(!third.status.success(), "two live at a time");
    assert!(!gateway.cli(&["token", "create", "no-such-source"]).status.success());
    for token in [&first, &second] {
        assert_eq!(gateway.client(token).get("/Users").await.status, 200);
    }

    let listed = json_of(&gateway, &["token", "list", "entra"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
    let text = said(&gateway, &["token", "list"]);
    for token in [&first, &second] {
        let (id, secret) = token.trim_start_matches("cg_").split_once('.').unwrap();
        assert!(text.contains(id) && !text.contains(secret), "{text}");
    }
    let id = first.trim_start_matches("cg_").split_once('.').unwrap().0;
    assert_eq!(json_of(&gateway, &["token", "revoke", id])["revoked"], id);

    assert_eq!(gateway.client(&first).get("/Users").await.status, 401);
    assert_eq!(gateway.client(&second).get("/Users").await.status, 200);
    assert_eq!(json_of(&gateway, &["token", "list", "entra"]).as_array().unwrap().len(), 1);
    let (_, success) = gateway.terminate();
    assert!(success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_tested_and_described_and_a_configuration_checked() {
    let tree = TestDirectory::start("target test").await;
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);

    for name in ["directory", "ehr"] {
        let tested = json_of(&gateway, &["target", "test", name]);
        assert_eq!((&tested["ok"], &tested["error"]), (&json!(true), &Value::Null), "{tested:#}");
        assert!(!tested["kinds"].as_array().unwrap().is_empty(), "{tested:#}");
        // What it cannot do is told with what that means for a leaver; this EHR can do everything.
        assert_eq!(tested["consequences"].as_array().unwrap().is_empty(), name == "ehr", "{tested:#}");
        // What was found suggests how to go on.
        let (name, expression) =
            if name == "ehr" { ("familyName", "user.name.familyName") } else { ("uid", "user.userName") };
        let suggested = &tested["proposals"][0];
        let mapping = json!({ "attribute": name, "expression": expression, "required": true });
        assert!(suggested["attributes"].as_array().unwrap().contains(&mapping), "{tested:#}");
        assert!(!suggested["keys"].as_array().unwrap().is_empty(), "{tested:#}");
        assert!(!tested["catalogue"].as_array().unwrap().is_empty(), "{tested:#}");
        assert_eq!(tested["unread"], json!([]), "{tested:#}");
    }
    let shown = String::from_utf8(gateway.cli(&["target", "test", "ehr"]).stdout).unwrap();
    assert!(shown.contains("[target.account.attributes]") && shown.contains("position"), "{shown}");
    ehr.faults().plan("*", Fault::Down, 0);
    let down = gateway.cli(&["target", "test", "ehr", "--json"]);
    assert!(!down.status.success(), "a target that does not answer is bad news");
    let down: Value = serde_json::from_slice(&down.stdout).unwrap();
    assert_eq!(down["ok"], false, "{down:#}");
    assert!(!gateway.cli(&["target", "test", "no-such-target"]).status.success());

    for (kind, setting) in [("ldap", "bind_dn"), ("rest", "idempotency_header")] {
        let out = harness::gateway::command(&["target", "describe", kind]);
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success() && text.contains(setting), "{kind}: {text}");
        let out = harness::gateway::command(&["target", "describe", kind, "--json"]);
        let described: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert!(described.to_string().contains(setting), "{kind}");
    }

    let fine = gateway.cli(&["check"]);
    assert!(fine.status.success(), "{}", String::from_utf8_lossy(&fine.stdout));
    let broken = hospital.folder.path().join("broken.toml");
    let text = std::fs::read_to_string(&hospital.config).unwrap().replace("bind_dn", "bind_nd");
    std::fs::write(&broken, text).unwrap();
    let out = harness::gateway::command(&["check", "--config", &broken.display().to_string(), "--json"]);
    let found = String::from_utf8(out.stdout).unwrap();
    assert!(!out.status.success() && found.contains("bind_nd") && found.contains("bind_dn"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_targets_catalogue_is_imported_and_what_people_wrote_in_it_stays() {
    let tree = TestDirectory::start("catalogue").await;
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("ehr.csv");
    let out = file.display().to_string();

    let first = json_of(&gateway, &["catalogue", "import", "ehr", "--out", &out]);
    assert!(first["new"].as_array().unwrap().contains(&json!("position:RN")), "{first:#}");
    assert_eq!((&first["gone"], &first["unlisted"]), (&json!([]), &json!(["credential", "prescribing"])), "{first:#}");

    // Somebody says who answers for it, and adds what the target cannot list, with its limit; neither is lost by the next import.
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.starts_with("position,RN,")).unwrap();
    let owned = line.replacen(",,", ",clinical-apps,", 1);
    std::fs::write(&file, text.replace(line, &format!("{owned}\r\nprescribing,C2,,,true,,25"))).unwrap();
    let again = json_of(&gateway, &["catalogue", "import", "ehr", "--out", &out]);
    assert_eq!((&again["new"], &again["gone"], &again["changed"]), (&json!([]), &json!([]), &json!([])), "{again:#}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains(&owned) && kept.contains("prescribing,C2,,,true,,25"), "{kept}");

    // A list that breaks off changes nothing.
    ehr.faults().plan("*", Fault::Down, 0);
    let failed = gateway.cli(&["catalogue", "import", "ehr", "--out", &out]);
    assert!(!failed.status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_says_of_care_and_of_what_it_gives_to_nobody_new_is_imported() {
    let hospital = Hospital::new(&Wiring::default());
    let ward = hospital.folder.path().join("ward.db");
    let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", ward.display())).await.unwrap();
    ehr.run("UPDATE menu_dict SET active = 'N' WHERE menu_mnemonic = 'PHA.ADMIN'").await.unwrap();
    let target = format!(
        "\n[[target]]\nname = \"ward\"\nkind = \"sql\"\nprofile = \"meditech-like\"\n[target.settings]\n\
         zone = \"America/New_York\"\ndatabase = {{ engine = \"sqlite\", path = \"{}\" }}\n",
        ward.display()
    );
    let text = std::fs::read_to_string(&hospital.config).unwrap();
    std::fs::write(&hospital.config, text + &target).unwrap();
    let gateway = Gateway::serve(&hospital.config);
    let file = hospital.folder.path().join("ward.csv");

    json_of(&gateway, &["catalogue", "import", "ward", "--out", &file.display().to_string()]);

    let written = std::fs::read_to_string(&file).unwrap();
    for line in [
        "menu,PHA.ADMIN,\"Pharmacy, administration\",,,retired,",
        "menu,NUR.VIEW,\"Nursing, look only\",,,,",
        "access-group,CSRX,\"Controlled substances, prescribing\",,true,,",
    ] {
        assert!(written.lines().any(|found| found == line), "{line} in {written}");
    }
}

/// The report that the epic-like system exports, with one template that it gives to nobody new.
const REPORT: &str = "id,name,active,provider_required,sensitive\nST100,Nursing documentation,true,false,false\n\
    ST310,\"Inpatient, ordering\",false,false,false\nST900,Emergency full chart,true,false,true\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_that_exists_as_a_report_only_is_imported_and_served_with_owner_care_state_and_day() {
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let room = tempfile::tempdir().unwrap();
    let (report, out) = (room.path().join("subtemplates.csv"), room.path().join("ehr.csv"));
    std::fs::write(&report, REPORT).unwrap();
    let (report, out) = (report.display().to_string(), out.display().to_string());
    let csv = format!("[target.catalogue_csv]\nfile = \"{out}\"\n");
    std::fs::write(&out, "type,value,owner\nrole-profile,CLINICIAN,ward-office\n").unwrap();
    let ordered = "\n[[role]]\nname = \"charting\"\nentitlements = [{ id = \"ehr:subtemplate:ST100\", order = 1 }]\n";
    let wiring = Wiring { ehr: Some(&ehr), ehr_more: &csv, more: "", sources: None, ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    // The roles of the set-up give what this catalogue does not have.
    let text = std::fs::read_to_string(&hospital.config).unwrap();
    let (before, _) = text.split_once("[[role]]").unwrap();
    std::fs::write(&hospital.config, before).unwrap();
    let gateway = Gateway::serve(&hospital.config);
    let import = |more: &[&str]| {
        let told =
            ["catalogue", "import", "ehr", "--csv", &report, "--type", "subtemplate", "--value", "id", "--out", &out];
        json_of(&gateway, &[&told[..], &["--display", "name"], more].concat())
    };

    let tried = import(&["--dry-run"]);
    let new = json!(["subtemplate:ST100", "subtemplate:ST310", "subtemplate:ST900"]);
    assert_eq!((&tried["new"], &tried["gone"], &tried["written"]), (&new, &json!([]), &json!(false)), "{tried:#}");
    let done = import(&[]);
    assert_eq!((&done["new"], &done["entries"]), (&new, &json!(4)), "other types stay: {done:#}");
    let again = import(&[]);
    assert_eq!((&again["new"], &again["changed"]), (&json!([]), &json!([])), "{again:#}");
    let (_, ended) = gateway.terminate();
    assert!(ended);

    // A role gives one of them at a place, so the type has an order.
    std::fs::write(&hospital.config, format!("{before}{ordered}")).unwrap();
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let catalog = "urn:chartgate:params:scim:schemas:extension:catalog:1.0:Entitlement";
    let shown = |id: &'static str| {
        let client = client.clone();
        async move { client.get(&format!("/Entitlements/{id}")).await.body }
    };
    let (plain, gone, care) = (
        shown("ehr:subtemplate:ST100").await,
        shown("ehr:subtemplate:ST310").await,
        shown("ehr:subtemplate:ST900").await,
    );
    assert_eq!((&plain["supported"], &gone["supported"]), (&json!(true), &json!(false)), "{gone:#}");
    assert_eq!(gone["display"], "Inpatient, ordering");
    assert_eq!((&plain[catalog]["sensitive"], &care[catalog]["sensitive"]), (&json!(false), &json!(true)));
    assert_eq!((&plain[catalog]["ordered"], &plain[catalog]["scoped"]), (&json!(true), &json!(false)), "{plain:#}");
    let source = plain[catalog]["source"].as_str().unwrap();
    let day = source.strip_prefix("csv:ehr.csv@").unwrap_or_else(|| panic!("{source}"));
    assert!(day.parse::<jiff::civil::Date>().is_ok(), "{source}");
    let profile = shown("ehr:role-profile:CLINICIAN").await;
    assert_eq!((&profile[catalog]["owner"], &profile[catalog]["ordered"]), (&json!("ward-office"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_sends_beside_the_interoperability_profile_is_shown() {
    let tree = TestDirectory::start("manners").await;
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let quiet = String::from_utf8(gateway.cli(&["status"]).stdout).unwrap();
    assert!(!quiet.contains("dropped"), "{quiet}");

    // A person with an attribute that no schema knows, and a change without a path.
    let person = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "manners", "shoeSize": "private value",
        "name": { "familyName": "Example", "givenName": "Test" },
    });
    let made = client.post("/Users", &person).await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let change = json!([{ "op": "replace", "value": { "title": "Nurse" } }]);
    assert_eq!(client.patch(&format!("/Users/{id}"), change).await.status, 200);

    let sources = json_of(&gateway, &["status", "--sources"]);
    let entra = sources.as_array().unwrap().iter().find(|of| of["source"] == "entra").unwrap();
    let sections: Vec<&str> =
        entra["breaches"].as_array().unwrap().iter().map(|of| of["section"].as_str().unwrap()).collect();
    assert_eq!(sections, ["5.3", "6.5.1.1"], "{sources:#}");
    assert_eq!(entra["ignored"]["shoeSize"], 1, "{sources:#}");
    let shown = String::from_utf8(gateway.cli(&["status"]).stdout).unwrap();
    assert!(shown.contains("entra (tolerant): dropped shoeSize (1)"), "{shown}");
    assert!(!shown.contains("private value"), "names, never values: {shown}");
}
