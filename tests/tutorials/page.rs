//! A page: its files and commands, in order.
//!
//! A block whose first line names a path after the language is a file; one of the language `sh` is a series of commands, each
//! after `$ `, with what it prints below it. `fails` after `sh` says that the last command reports something bad. Every other
//! block is prose.

/// One block.
pub enum Block {
    /// A file to be written.
    File { path: String, text: String },
    /// Commands to be run.
    Commands { steps: Vec<Step>, fails: bool },
}

/// One command.
pub struct Step {
    pub command: String,
    /// What it prints, `…` for anything. Empty: nothing is looked at.
    pub prints: String,
}

/// A page.
pub struct Page {
    pub blocks: Vec<Block>,
}

impl Page {
    pub fn read(text: &str) -> Page {
        let (mut blocks, mut lines) = (Vec::new(), text.lines());
        while let Some(line) = lines.next() {
            let Some(says) = line.strip_prefix("```") else { continue };
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let (language, rest) = says.split_once(' ').unwrap_or((says, ""));
            match (language, rest) {
                ("sh", rest) => blocks.push(Block::Commands { steps: steps(&body), fails: rest == "fails" }),
                (_, "") => {}
                (_, path) => blocks.push(Block::File { path: path.to_owned(), text: body.join("\n") + "\n" }),
            }
        }
        Page { blocks }
    }

    /// The text of a file.
    pub fn file(&self, wanted: &str) -> &str {
        let text = self.blocks.iter().find_map(|block| match block {
            Block::File { path, text } if path == wanted => Some(text.as_str()),
            Block::File { .. } | Block::Commands { .. } => None,
        });
        text.unwrap_or_else(|| panic!("the page has no {wanted}"))
    }
}

fn steps(body: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), prints: String::new() }),
            (None, Some(step)) => step.prints += &format!("{line}\n"),
            (None, None) => panic!("{line:?} stands before any command"),
        }
    }
    steps
}

/// Whether a text is what a page says, where `…` stands for anything.
pub fn fits(said: &str, wanted: &str) -> bool {
    let parts: Vec<&str> = wanted.trim().split('…').collect();
    let (said, last) = (said.trim(), parts.len() - 1);
    let mut rest = said;
    for (at, part) in parts.iter().enumerate() {
        let found = match at {
            0 if last == 0 => return said == *part,
            0 => rest.starts_with(part).then_some(0),
            _ if at == last => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let Some(found) = found else { return false };
        rest = &rest[found + part.len()..];
    }
    true
}

#[test]
fn what_a_command_prints_is_compared_but_for_what_differs() {
    assert!(fits("a\n", "a") && fits("abc", "a…c") && fits("x\ny\nz", "…\nz") && fits("ab", "a…b"));
    assert!(!fits("a", "b") && !fits("abc", "a…d") && !fits("xa", "a…") && !fits("aba", "aba…a"));
}
