//! The files that make up a configuration: read, and laid over each other.

use super::tree::{Node, What};
use super::{Problem, nearest};
use crate::kinds::Kinds;
use crate::target_file::APART;
use std::collections::BTreeSet;
use std::fs;

/// Larger than any configuration that people write.
const MAX_FILE: u64 = 16 << 20;

/// What the name of a built-in file begins with.
pub(super) const PROFILE: &str = "profile ";

/// Reads a TOML file; `None` when it has no meaning at all.
fn parse(path: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let text = match text(path) {
        Ok(text) => text,
        Err(message) => {
            problems.push(Problem::of_file(path, 1, message));
            return None;
        }
    };
    let (node, wrong) = Node::parse(path, text);
    let sound = wrong.is_empty();
    problems.extend(wrong);
    sound.then_some(node)
}

pub(crate) fn text(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("the file cannot be read: {}", error.kind());
    if fs::metadata(path).map_err(cannot)?.len() > MAX_FILE {
        return Err("the file is larger than 16 MiB".to_owned());
    }
    fs::read_to_string(path).map_err(cannot)
}

/// Puts each target's `file` or `profile` under its own settings. Returns the places of targets for which that failed: most
/// of their settings would seem to be missing.
pub(super) fn lay_files_under(root: &mut Node, kinds: &Kinds, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut unread = BTreeSet::new();
    let What::Table(members) = &mut root.what else { return unread };
    let Some((_, targets)) = members.iter_mut().find(|(key, _)| key == "target") else { return unread };
    let What::List(targets) = &mut targets.what else { return unread };
    for (place, target) in targets.iter_mut().enumerate() {
        let pointer = |name: &str| format!("/target/{place}/{name}");
        let mut under = None;
        if let Some(file) = target.member("file")
            && let Some(path) = file.text()
        {
            under = parse(path, problems);
            if under.is_none() {
                unread.insert(place);
            }
        }
        if let Some(profile) = target.member("profile")
            && let Some(name) = profile.text()
        {
            match kinds.profile(name) {
                _ if target.member("file").is_some() => {
                    unread.insert(place);
                    let message = "a target has a file or a profile, not both".to_owned();
                    problems.push(Problem::at(&profile.key, pointer("profile"), message));
                }
                None => {
                    unread.insert(place);
                    let message = format!("there is no profile {name:?}");
                    let problem = Problem::at(&profile.value, pointer("profile"), message);
                    let hint = nearest::hint(name, kinds.profiles().map(|(name, _)| name));
                    problems.push(Problem { hint, ..problem });
                }
                Some(built_in) => {
                    if target.member("kind").and_then(Node::text).is_some_and(|kind| kind != built_in.kind) {
                        unread.insert(place);
                        let message = format!("the profile {name} is for the kind {}", built_in.kind);
                        problems.push(Problem::at(&profile.value, pointer("profile"), message));
                    }
                    let (node, wrong) = Node::parse(&format!("{PROFILE}{name}"), built_in.text.to_owned());
                    problems.extend(wrong);
                    under = Some(node);
                }
            }
        }
        if let Some(mut under) = under {
            // Its cases are for its author.
            let said = APART.iter().map(|name| under.take(name)).collect::<Vec<_>>();
            let kind = target.member("kind").and_then(Node::text).filter(|_| target.member("profile").is_none());
            if let Some(Some(said)) = said.first()
                && let (Some(of), Some(kind)) = (said.text(), kind)
                && of != kind
            {
                unread.insert(place);
                let message = format!("the file is for the kind {of}, and the target is of kind {kind}");
                problems.push(Problem::at(&said.value, pointer("settings"), message));
            }
            if let Some(over) = target.take("settings") {
                under.key = over.key.clone();
                under.overlay(over);
            }
            if let What::Table(members) = &mut target.what {
                members.push(("settings".to_owned(), under));
            }
        }
    }
    unread
}
