//! `chartgate target test`: a target that runs, or a file with its cases.

use crate::cli::admin::escape;
use crate::cli::paper::{self, Tone, columns, print, print_json, text};
use crate::cli::{Failure, Outcome, Running, proposals};
use crate::kinds::Kinds;
use crate::target_file::{self, Reading};
use clap::Args;
use connector_cases::Verdict;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct Test {
    /// The target's name, asked of the running gateway; or a target's file, whose name ends in .toml.
    #[arg(required_unless_present_any = ["file", "profile"])]
    name: Option<String>,
    /// A target's file, whatever its name.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "profile"])]
    file: Option<String>,
    /// A built-in file.
    #[arg(long, value_name = "PROFILE", conflicts_with = "name")]
    profile: Option<String>,
    /// The kind of connector, where the file does not say it.
    #[arg(long)]
    kind: Option<String>,
    /// Run only the cases whose names hold this text.
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    #[command(flatten)]
    gateway: Running,
}

impl Test {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        if let Some(profile) = &self.profile {
            let (name, reading) = of_profile(profile, kinds)?;
            return self.of_file(&name, reading, kinds);
        }
        let named = self.name.as_ref().filter(|name| name.ends_with(".toml"));
        match self.file.as_ref().or(named) {
            Some(file) => {
                let reading = target_file::load(file, self.kind.as_deref(), kinds);
                self.of_file(file, reading, kinds)
            }
            None => self.of_target(),
        }
    }

    fn of_file(&self, name: &str, reading: Reading, kinds: &Kinds) -> Outcome {
        let Reading { problems, warnings, left_open, file } = reading;
        let cases = file.iter().flat_map(|file| &file.suite.test);
        let chosen =
            cases.filter(|case| self.case.as_ref().is_none_or(|text| case.name.contains(text))).collect::<Vec<_>>();
        let mut verdicts = Vec::new();
        if let Some(file) = &file {
            let runtime = super::runtime()?;
            for case in chosen {
                verdicts.push(runtime.block_on(file.run(case, kinds)));
            }
        }
        let ok = problems.is_empty() && verdicts.iter().all(|verdict| verdict.passed);
        if self.gateway.json {
            print_json(&json!({
                "ok": ok, "file": name, "kind": file.as_ref().map(|file| &file.kind), "problems": problems,
                "warnings": warnings, "left_open": left_open, "cases": verdicts,
            }))?;
            return Ok(ok);
        }
        print(&crate::cli::place::list(&problems));
        for warning in &warnings {
            let shown = warning.to_string().replacen(": ", ": warning: ", 1);
            print(&format!("{}\n", paper::tone(Tone::Aside, &shown)));
        }
        if !verdicts.is_empty() {
            let row = |verdict: &Verdict| {
                let word = if verdict.passed { "passed" } else { "FAILED" };
                [verdict.name.clone(), verdict.op.clone(), word.to_owned(), format!("{} ms", verdict.milliseconds)]
            };
            print(&columns(["CASE", "CALL", "", "TIME"], verdicts.iter().map(row)));
        }
        for verdict in verdicts.iter().filter(|verdict| !verdict.passed) {
            print(&format!("\n{}\n", paper::tone(Tone::Bad, &verdict.name)));
            for problem in &verdict.problems {
                print(&format!("  {}\n", problem.replace('\n', "\n  ")));
            }
        }
        if file.is_some() && !left_open.is_empty() {
            let open =
                left_open.iter().map(|pointer| pointer.trim_start_matches('/').replace('/', ".")).collect::<Vec<_>>();
            print(&format!("{}\n", paper::tone(Tone::Aside, &format!("left to the deployment: {}", open.join(", ")))));
        }
        let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
        let verdict = match (problems.len(), verdicts.len()) {
            (0, 0) => paper::tone(Tone::Good, &format!("{name}: sound, without cases")),
            (0, all) if failed == 0 => paper::tone(Tone::Good, &format!("{name}: sound, {all} cases passed")),
            (0, all) => paper::tone(Tone::Bad, &format!("{name}: {failed} of {all} cases failed")),
            (1, _) => paper::tone(Tone::Bad, &format!("{name}: 1 problem")),
            (many, _) => paper::tone(Tone::Bad, &format!("{name}: {many} problems")),
        };
        print(&format!("{verdict}\n"));
        Ok(ok)
    }

    fn of_target(&self) -> Outcome {
        let name = self.name.as_deref().unwrap_or_default();
        let test = self.gateway.post(&format!("/targets/{}/test", escape(name)), &json!({}))?;
        let ok = test.get("ok").and_then(Value::as_bool).unwrap_or(false);
        if self.gateway.json {
            print_json(&test)?;
            return Ok(ok);
        }
        let field = |name: &str| test.get(name).unwrap_or(&Value::Null);
        let verdict = if ok { paper::tone(Tone::Good, "answers") } else { paper::tone(Tone::Bad, "does not answer") };
        print(&format!("{} ({}): {verdict}\n", text(field("name")), text(field("kind"))));
        if let Some(error) = field("error").as_str() {
            print(&format!("  error    {error}\n"));
        }
        for (name, value) in field("says").as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            print(&format!("  {name}  {}\n", text(value)));
        }
        for (name, title) in [("kinds", "kind"), ("consequences", "note")] {
            for line in field(name).as_array().into_iter().flatten() {
                print(&format!("  {title}  {}\n", text(line)));
            }
        }
        print(&proposals::shown(&test));
        Ok(ok)
    }
}

/// A built-in file, read.
fn of_profile(profile: &str, kinds: &Kinds) -> Result<(String, Reading), Failure> {
    let Some(built_in) = kinds.profile(profile) else {
        let hint = crate::config::nearest_hint(profile, kinds.profiles().map(|(name, _)| name));
        let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        return Err(Failure(format!("there is no profile {profile:?}{hint}")));
    };
    let name = format!("profile {profile}");
    let reading = target_file::read(&name, built_in.text.to_owned(), Some(built_in.kind), kinds);
    Ok((name, reading))
}
