//! Names out of a description, as they may stand in a file.

/// A text for a comment or a string: one line, without control characters, of bounded length.
pub(super) fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A key of TOML.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// The name of an attribute: a word that an expression can name, beginning with a small letter.
pub(super) fn attribute(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            upper = !out.is_empty();
            continue;
        }
        out.push(if upper { c.to_ascii_uppercase() } else { c });
        upper = false;
    }
    // `NPI` is npi, `SystemLogin` is systemLogin, `UserID` is userID.
    let capitals = out.chars().take_while(char::is_ascii_uppercase).count();
    let lower = if capitals == out.len() { capitals } else { capitals.saturating_sub(1).max(1) };
    let mut made: String =
        out.chars().enumerate().map(|(at, c)| if at < lower { c.to_ascii_lowercase() } else { c }).collect();
    if !made.starts_with(|c: char| c.is_ascii_alphabetic()) {
        made.insert(0, 'a');
    }
    made
}

/// The name of a kind: small words with hyphens between them.
pub(super) fn kind(name: &str) -> String {
    let mut out = String::new();
    let mut before = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            before = false;
            if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
            continue;
        }
        if c.is_ascii_uppercase() && before && !out.ends_with('-') {
            out.push('-');
        }
        before = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_lowercase());
    }
    let trimmed = out.trim_matches('-');
    for end in ["-record", "-info", "-details", "-type"] {
        if let Some(stem) = trimmed.strip_suffix(end).filter(|stem| !stem.is_empty()) {
            return stem.to_owned();
        }
    }
    if trimmed.is_empty() { "record".to_owned() } else { trimmed.to_owned() }
}

/// What a kind of this name is likely for.
pub(super) fn role(kind: &str) -> &'static str {
    let people = ["user", "account", "person", "personnel", "employee", "staff", "member", "worker", "login"];
    if people.iter().any(|word| kind.split('-').any(|part| part == *word)) { "account" } else { "other" }
}

/// Whether a name looks like that of an id.
pub(super) fn is_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "id"
        || name.ends_with("ID")
        || name.ends_with("Id")
        || lower.ends_with("_id")
        || lower.ends_with("identifier")
}

/// The lines of a text as comments.
pub(super) fn commented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words_of_ours() {
        let attributes =
            ["NPI", "SystemLogin", "UserID", "first_name", "given-name", "9lives", "URLPath"].map(attribute);
        assert_eq!(attributes, ["npi", "systemLogin", "userID", "firstName", "givenName", "a9lives", "urlPath"]);
        assert_eq!(
            ["UserRecord", "PERSON", "SubTemplates", "--"].map(kind),
            ["user", "person", "sub-templates", "record"]
        );
        assert_eq!(["user", "user-account", "ward"].map(role), ["account", "account", "other"]);
        assert_eq!(key("a b"), "\"a b\"");
        assert_eq!(quoted("a\"\n\\"), "\"a\\\"\\\\\"");
    }
}
