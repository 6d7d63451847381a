//! Configurations as golden files: `check/NAME.toml` and what `chartgate check` says of it in `check/NAME.txt`.
//!
//! `CHARTGATE_WRITE_GOLDEN=1 cargo nextest run -p chartgate golden` writes the expected outputs anew; read the difference.

use super::program::run;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

fn cases() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
#[allow(clippy::disallowed_methods)] // asks whether to write instead of to compare
fn every_golden_configuration_is_told_as_expected() {
    let write = env::var_os("CHARTGATE_WRITE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for name in cases() {
        let ran = run(&folder(), &["check", "--config", &format!("{name}.toml")]);
        let expected = folder().join(format!("{name}.txt"));
        if write {
            fs::write(&expected, &ran.out).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if ran.out != expected || !ran.err.is_empty() {
            wrong.push(format!("{name}:\n--- expected\n{expected}--- said\n{}{}", ran.out, ran.err));
        }
        let code = if name.starts_with("good-") { 0 } else { 1 };
        assert_eq!(ran.code, Some(code), "{name}:\n{}{}", ran.out, ran.err);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_twenty_bad_configurations_and_each_is_told_with_its_place() {
    let bad: Vec<String> = cases().into_iter().filter(|name| name.starts_with("bad-")).collect();
    assert!(bad.len() >= 20);
    for name in bad {
        let said = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        let first = said.lines().next().unwrap();
        let mut parts = first.splitn(4, ':');
        let (file, line, column, message) = (parts.next(), parts.next(), parts.next(), parts.next());
        assert!(file.is_some_and(|file| !file.is_empty()), "{name}: {first}");
        assert!(line.and_then(|line| line.parse::<u32>().ok()).is_some_and(|line| line > 0), "{name}: {first}");
        assert!(
            column.and_then(|column| column.parse::<u32>().ok()).is_some_and(|column| column > 0),
            "{name}: {first}"
        );
        assert!(message.is_some_and(|message| message.len() > 5), "{name}: {first}");
    }
}

#[test]
fn a_literal_secret_is_never_repeated() {
    for format in [&[][..], &["--json"]] {
        let ran = run(&folder(), &[&["check", "--config", "bad-literal-secret.toml"], format].concat());

        assert_eq!(ran.code, Some(1));
        assert!(!ran.out.contains("battery") && !ran.err.contains("battery"), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn files_are_named_as_they_are_seen_from_where_the_command_was_given() {
    let above = folder().parent().unwrap().to_path_buf();

    let ran = run(&above, &["check", "--config", "check/bad-target-file.toml"]);

    assert!(ran.out.contains("check/bad-target-file.toml:"), "{}", ran.out);
    assert!(ran.out.contains("check/parts/directory.toml:3:13: "), "{}", ran.out);
}

#[test]
fn json_holds_the_same_problems() {
    let ran = run(&folder(), &["check", "--config", "bad-unknown-keys.toml", "--json"]);

    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["ok"], false);
    let first = &said["problems"][0];
    assert_eq!((first["line"].as_u64(), first["pointer"].as_str()), (Some(2), Some("/server/lisetn")));
    assert_eq!(first["hint"], "did you mean listen?");
}

#[test]
fn a_setting_of_the_environment_goes_before_the_file_and_is_checked_too() {
    let ran = super::program::Ran::of(
        super::program::program(&folder())
            .args(["check", "--config", "good-smallest.toml"])
            .env("CHARTGATE_LISTEN", "nowhere")
            .output()
            .unwrap(),
    );

    assert_eq!(ran.code, Some(1));
    assert!(ran.out.starts_with("CHARTGATE_LISTEN:1:1: "), "{}", ran.out);
}

#[test]
fn a_file_that_is_not_there_is_an_error_in_words() {
    let ran = run(&folder(), &["check", "--config", "no-such.toml"]);

    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "error: there is no file no-such.toml\n"));
}
