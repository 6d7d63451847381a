//! What is told about files that are wrong, and cases that run.

use super::*;

const SOUND: &str = r#"
kind = "rest"
[http]
[check]
method = "GET"
path = "/up"
[kinds.account]
role = "account"
natural_keys = [["login"]]
record = { id = "/id" }
attributes = { login = { at = "/login", required = true } }
get = { method = "GET", path = "/people/{id}" }
find = [{ key = ["login"], items = "/items", request = { method = "GET", path = "/people", query = { login = "key.login" } } }]
create = { id = "/id", request = { method = "POST", path = "/people", body = { attributes = true } } }
"#;

fn told(text: &str) -> Vec<String> {
    let reading = read("f.toml", text.to_owned(), None, &Kinds::built_in());
    reading.problems.iter().map(ToString::to_string).collect()
}

fn verdicts(text: &str) -> Vec<Verdict> {
    let kinds = Kinds::built_in();
    let reading = read("f.toml", format!("{SOUND}{text}"), None, &kinds);
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    let file = reading.file.unwrap_or_else(|| panic!("{told:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut verdicts = Vec::new();
        for case in &file.suite.test {
            verdicts.push(file.run(case, &kinds).await);
        }
        verdicts
    })
}

#[test]
fn a_sound_file_may_leave_its_deployment_open() {
    let reading = read("f.toml", SOUND.to_owned(), None, &Kinds::built_in());
    assert_eq!(reading.problems, []);
    assert_eq!(reading.left_open, ["/http/url"]);
}

#[test]
fn another_version_of_the_contract_is_the_only_thing_told() {
    let told = told(&format!("spi = \"2\"\nwhatever = 1\n{SOUND}"));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("f.toml:1:7: the file needs version 2"), "{told:?}");
}

#[test]
fn mistakes_are_told_with_their_lines_in_settings_and_in_cases() {
    let text = SOUND.replace("key.login", "key.logn").replace("role = \"account\"", "role = \"acount\"")
        + "[[test]]\nname = \"a\"\ncall = { op = \"gett\", kind = \"account\", id = \"1\" }\nexpect = { nothing = true }\n";
    let all = told(&text);
    assert!(all.iter().any(|one| one.contains("acount") && one.contains("did you mean account")), "{all:?}");
    assert!(all.iter().any(|one| one.starts_with("f.toml:17:") && one.contains("gett")), "{all:?}");
    let all = told(&SOUND.replace("key.login", "key.logn"));
    assert!(all.len() == 1 && all[0].starts_with("f.toml:13:") && all[0].contains("login"), "{all:?}");
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    let text = SOUND.replace("[http]", "[http]\nauth = { type = \"bearer\", token = \"hunter2\" }");
    let all = told(&text);
    assert_eq!(all.len(), 1);
    assert!(all[0].starts_with("f.toml:4:") && !all[0].contains("hunter2"), "{all:?}");
}

#[test]
fn a_case_passes_when_everything_is_as_it_is_written() {
    let found = verdicts(
        r#"
[[test]]
name = "a person is read"
call = { op = "get", kind = "account", id = "7" }
exchange = [{ request = { path = "/people/7" }, reply = { json = '{"id": "7", "login": "t1"}' } }]
[test.expect.result]
kind = "account"
id = "7"
naturalKey = { login = "t1" }
attrs = { login = ["t1"] }
state = "unknown"

[[test]]
name = "nobody"
call = { op = "get", kind = "account", id = "8" }
exchange = [{ request = { path = "/people/8" }, reply = { status = 404 } }]
expect = { nothing = true }

[[test]]
name = "a create whose answer is lost"
call = { op = "create", kind = "account", attrs = { login = ["t1"] } }
exchange = [{ request = { method = "POST", path = "/people", json = '{"login": "t1"}' }, reply = { lost = true } }]
expect = { error = { class = "Timeout" } }
"#,
    );
    let problems: Vec<_> = found.iter().flat_map(|verdict| &verdict.problems).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_case_fails_with_what_differs() {
    let found = verdicts(
        r#"
[[test]]
name = "another path, and an exchange too many"
call = { op = "get", kind = "account", id = "7" }
exchange = [{ request = { path = "/people/8" }, reply = { status = 404 } }]
expect = { nothing = true }

[[test]]
name = "another body"
call = { op = "create", kind = "account", attrs = { login = ["t1"] } }
exchange = [{ request = { method = "POST", path = "/people", json = '{"login": "t2"}' }, reply = { json = '{"id": "1"}' } }]
expect = { result = { id = "1" } }

[[test]]
name = "another result"
call = { op = "find", kind = "account", key = { login = "t1" } }
exchange = [{ request = { path = "/people", query = { login = "t1" } }, reply = { json = '{"items": []}' } }]
expect = { result = [{ id = "1" }] }

[[test]]
name = "a request that nobody expects"
call = { op = "find", kind = "account", key = { login = "t1" } }
expect = { result = [] }
"#,
    );
    assert!(found.iter().all(|verdict| !verdict.passed));
    assert!(found[0].problems[0].contains("path: expected /people/8, found /people/7"), "{:?}", found[0]);
    assert!(found[1].problems[0].contains("body /login: expected \"t2\", found \"t1\""), "{:?}", found[1]);
    assert!(found[2].problems[0].contains("result /0: expected"), "{:?}", found[2]);
    assert!(found[3].problems[0].contains("no exchange is left"), "{:?}", found[3]);
}

#[test]
fn a_database_s_case_runs_on_a_database() {
    let text = r#"
kind = "sql"
[kinds.account]
role = "account"
natural_keys = [["login"]]
record = "SELECT p.id AS id, p.login AS login FROM people p"
get = "WHERE p.id = :id"
id = { type = "integer" }
find = [{ key = ["login"], sql = "WHERE p.login = :login" }]
attributes = { login = { required = true, max_length = 8 } }
create = { insert = "INSERT INTO people (login) VALUES (:login) RETURNING id AS id" }

[test_setup]
sql = "CREATE TABLE people (id INTEGER PRIMARY KEY, login VARCHAR(8) NOT NULL UNIQUE);"

[[test]]
name = "a person is made"
call = { op = "create", kind = "account", attrs = { login = ["t1"] } }
after = [{ query = "SELECT login, id FROM people", rows = [{ login = "t1", id = 1 }] }]
[test.expect.result]
id = "1"
[test.expect.result.record]
kind = "account"
id = "1"
naturalKey = { login = "t1" }
attrs = { login = ["t1"] }
state = "unknown"

[[test]]
name = "a login that is taken"
sql = "INSERT INTO people VALUES (5, 't1');"
call = { op = "create", kind = "account", attrs = { login = ["t1"] } }
expect = { error = { class = "AlreadyExists", existing = "5" } }
after = [{ query = "SELECT count(*) AS n FROM people", rows = [{ n = 2 }] }]
"#;
    let kinds = Kinds::built_in();
    let reading = read("f.toml", text.to_owned(), None, &kinds);
    assert_eq!(reading.problems, []);
    let file = reading.file.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(file.run(&file.suite.test[0], &kinds));
    assert_eq!(made.problems, Vec::<String>::new());
    let taken = runtime.block_on(file.run(&file.suite.test[1], &kinds));
    assert_eq!(taken.problems.len(), 1, "{taken:?}");
    assert!(taken.problems[0].contains("row /0/n: expected 2, found 1"), "{taken:?}");
}

#[test]
fn the_schema_covers_the_whole_file() {
    let kinds = Kinds::built_in();
    let whole = schema(kinds.named("soap").unwrap().as_ref());
    for pointer in
        ["/properties/kinds", "/properties/kind", "/properties/test", "/properties/test_setup", "/$defs/Case"]
    {
        assert!(whole.pointer(pointer).is_some(), "{pointer}");
    }
    let ldap = schema(kinds.named("ldap").unwrap().as_ref());
    assert!(ldap.pointer("/properties/test").is_none());
}
