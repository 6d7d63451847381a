//! `chartgate demo`: a whole hospital in one process, with a verdict.
//!
//! A workforce that was made for the purpose is pushed over HTTP as identity providers push it, into a gateway that is
//! configured like a real one, with simulated clinical systems and a small directory as its targets. Then a client of its own
//! reads every target over its own protocol and compares it with what the workforce says, not with what the gateway believes.

mod changes;
mod push;
mod scenes;
mod show;

pub use changes::Changes;
pub use scenes::{Account, Accounts, Scene};

use crate::config;
use crate::kinds::Kinds;
use crate::wire::Gateway;
use fixtures::workforce::Workforce;
use indicatif::ProgressBar;
use push::Providers;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

/// The made workforce is the same on every run.
const SEED: u64 = 20_261_122;
/// The longest wait for the targets.
const PATIENCE: Duration = Duration::from_secs(120);

/// Anything that goes wrong on the way; the demo only prints it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How the demo runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// People at the start, 20 to 100,000.
    pub people: usize,
    /// Joiners, movers and leavers afterwards.
    pub movements: usize,
    /// Where the gateway listens.
    pub listen: String,
    /// End with the verdict instead of serving on.
    pub exit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { people: 150, movements: 60, listen: "127.0.0.1:0".to_owned(), exit: false }
    }
}

/// A hospital that runs.
pub struct Demo {
    gateway: Gateway,
    scenes: Vec<Box<dyn Scene>>,
    workforce: Workforce,
    providers: Providers,
    people: usize,
    movements: usize,
    // Dropped last: it holds the store and the secrets.
    folder: TempDir,
}

/// What one target came to.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The target's name.
    pub target: &'static str,
    /// What happened to its accounts since the start.
    pub changes: Changes,
    /// Links that wait.
    pub pending: u64,
    /// Links that the target refused or that are disputed.
    pub refused: u64,
    /// Employee numbers whose account is not as the workforce says.
    pub differs: Vec<String>,
}

/// Whether every target is as wanted: no account differs, and nothing waits or was refused. It is the last line that `chartgate
/// demo` prints, and with `--exit` its status: zero, or one.
#[must_use]
pub fn is_right(verdicts: &[Verdict]) -> bool {
    let right = |verdict: &Verdict| verdict.differs.is_empty() && verdict.pending == 0 && verdict.refused == 0;
    !verdicts.is_empty() && verdicts.iter().all(right)
}

/// Runs the demo and shows it. Whether every target is as wanted (see [`is_right`]).
///
/// # Errors
/// When something does not start, or a target cannot be read.
pub async fn run(options: Options) -> Outcome<bool> {
    let mut demo = Demo::start(&options).await?;
    show::title(&options, &demo.scenes);
    let before = demo.read().await?;
    let bars = show::Bars::new();
    demo.push_joiners(&bars.step("joiners pushed", options.people)).await?;
    demo.settle(&bars.step("targets reached", 0)).await?;
    let middle = demo.read().await?;
    demo.push_movements(&bars.step("moves pushed", options.movements)).await?;
    demo.settle(&bars.step("targets reached", 0)).await?;
    let verdicts = demo.verdicts(&[before, middle]).await?;
    let right = is_right(&verdicts);
    show::verdict(&verdicts, right);
    if !options.exit {
        show::serving(&demo.gateway.url(), &demo.scenes, &demo.folder.path().join("admin.sock"));
        tokio::signal::ctrl_c().await?;
    }
    demo.stop().await;
    Ok(right)
}

/// All targets as read at one moment, in the order of the scenes.
pub type Reading = Vec<Accounts>;

impl Demo {
    /// Starts the targets and the gateway; nobody has been pushed yet.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(options: &Options) -> Outcome<Demo> {
        let folder = TempDir::with_prefix("chartgate-demo-")?;
        let scenes = scenes::start(folder.path()).await?;
        let here = folder.path().display().to_string();
        fs::write(folder.path().join("secret"), scenes::SECRET)?;
        fs::write(folder.path().join("application.secret"), fixtures::scim_server::Options::default().token)?;
        let mut text = include_str!("demo/demo.toml").replace("@LISTEN@", &options.listen).replace("@DIR@", &here);
        for (mark, setting) in scenes.iter().flat_map(|scene| scene.settings()) {
            text = text.replace(mark, &setting);
        }
        let file = folder.path().join("chartgate.toml");
        fs::write(&file, text)?;
        let kinds = Kinds::built_in();
        let reading = config::load(&file.display().to_string(), &kinds);
        let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        let loaded = reading.loaded.ok_or_else(|| problems.join("\n"))?;
        let gateway = Gateway::start(loaded, &kinds).await?;
        let entra = gateway.engine().create_token("entra", None, "demo").await?;
        let okta = gateway.engine().create_token("okta", None, "demo").await?;
        let providers = Providers::new(&gateway.url(), entra, okta)?;
        let workforce = Workforce::made(SEED, options.people);
        let (people, movements) = (workforce.people.len(), options.movements);
        Ok(Demo { gateway, scenes, workforce, providers, people, movements, folder })
    }

    /// The targets, for whoever wants to look or to meddle.
    #[must_use]
    pub fn scenes(&self) -> &[Box<dyn Scene>] {
        &self.scenes
    }

    /// Pushes everybody who works there at the start, and their groups.
    ///
    /// # Errors
    /// When the gateway does not take a request.
    pub async fn push_joiners(&mut self, bar: &ProgressBar) -> Outcome<()> {
        bar.set_length(self.people as u64);
        self.providers.start(&self.workforce, bar).await?;
        bar.finish();
        Ok(())
    }

    /// Pushes who joins, moves and leaves afterwards.
    ///
    /// # Errors
    /// When the gateway does not take a request.
    pub async fn push_movements(&mut self, bar: &ProgressBar) -> Outcome<()> {
        let movements = self.workforce.movements(self.movements);
        bar.set_length(movements.len() as u64);
        self.providers.go_on(&self.workforce, &movements, bar).await?;
        bar.finish();
        Ok(())
    }

    /// Waits until no link is pending.
    ///
    /// # Errors
    /// When that takes longer than two minutes.
    pub async fn settle(&self, bar: &ProgressBar) -> Outcome<()> {
        let wait = async {
            loop {
                let reports = self.gateway.engine().status().await?;
                let all: u64 = reports.iter().map(|report| report.links.links).sum();
                let due: u64 = reports.iter().map(|report| report.links.due).sum();
                bar.set_length(all);
                bar.set_position(all.saturating_sub(due));
                // A sweep over the members of a group may still be on its way to the links.
                if due == 0 && self.gateway.engine().store().next_sweep().await?.is_none() {
                    bar.finish();
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| "the targets were not reached in two minutes")?
    }

    /// Reads every target over its own protocol.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn read(&self) -> Outcome<Reading> {
        let mut reading = Reading::new();
        for scene in &self.scenes {
            reading.push(scene.read().await.map_err(|error| format!("{}: {error}", scene.name()))?);
        }
        Ok(reading)
    }

    /// Reads the targets once more and holds them against the workforce.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn verdicts(&self, before: &[Reading]) -> Outcome<Vec<Verdict>> {
        let now = self.read().await?;
        let reports = self.gateway.engine().status().await?;
        let mut verdicts = Vec::new();
        for (place, (scene, held)) in self.scenes.iter().zip(&now).enumerate() {
            let target = scene.name();
            let story: Vec<&Accounts> =
                before.iter().filter_map(|reading| reading.get(place)).chain(std::iter::once(held)).collect();
            let links = reports.iter().find(|report| report.name == target).map(|report| &report.links);
            verdicts.push(Verdict {
                target,
                changes: Changes::of(&story),
                pending: links.map_or(0, |links| links.due),
                refused: links.map_or(0, |links| links.parked.values().sum::<u64>() + links.disputed),
                differs: differences(&story, &scene.wanted(&self.workforce)),
            });
        }
        Ok(verdicts)
    }

    /// Ends everything in order.
    pub async fn stop(self) {
        self.gateway.stop().await;
        for scene in self.scenes {
            scene.stop().await;
        }
    }
}

/// Employee numbers whose accounts are not, in the last of these readings, what they should be. Who joined and left again before
/// a target was reached never had an account there, and nobody makes one to close it.
fn differences(story: &[&Accounts], wanted: &Accounts) -> Vec<String> {
    let Some(held) = story.last() else { return wanted.keys().cloned().collect() };
    let mut numbers: Vec<&String> = held.keys().chain(wanted.keys()).collect();
    numbers.sort();
    numbers.dedup();
    let never_made = |number: &String| {
        wanted.get(number).is_some_and(|account| !account.enabled)
            && story.iter().all(|reading| !reading.contains_key(number))
    };
    let differs = |number: &&String| held.get(*number) != wanted.get(*number) && !never_made(number);
    numbers.into_iter().filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{Accounts, differences};
    use crate::demo::scenes::Account;

    fn account(enabled: bool) -> Account {
        Account { enabled, facts: Default::default(), holds: Default::default() }
    }

    #[test]
    fn a_closed_account_may_be_missing_only_if_it_never_was_there() {
        let wanted = Accounts::from([("left".to_owned(), account(false)), ("works".to_owned(), account(true))]);
        let whole = Accounts::from([("left".to_owned(), account(true)), ("works".to_owned(), account(true))]);
        let without = Accounts::from([("works".to_owned(), account(true))]);

        assert!(differences(&[&without, &without], &wanted).is_empty());
        assert_eq!(differences(&[&whole, &without], &wanted), ["left"], "it was there, and somebody took it away");
        assert_eq!(differences(&[&whole, &whole], &wanted), ["left"], "it is open");
        assert_eq!(differences(&[&without, &Accounts::new()], &wanted), ["works"]);
    }
}
