//! Attribute names, prepared for look-up in any letter case without an allocation.

use std::cmp::Ordering;

/// Names in ASCII lower case, sorted, each with its position in the list it was made from. Attribute names are ASCII
/// (RFC 7643, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names(Vec<(Box<str>, usize)>);

impl Names {
    /// Two names that differ in letter case only: the name is the error.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut sorted: Vec<(Box<str>, usize)> =
            names.enumerate().map(|(at, name)| (name.to_ascii_lowercase().into_boxed_str(), at)).collect();
        sorted.sort();
        match sorted.iter().zip(sorted.iter().skip(1)).find(|(one, two)| one.0 == two.0) {
            Some((twice, _)) => Err(twice.0.to_string()),
            None => Ok(Names(sorted)),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let at = self.0.binary_search_by(|(known, _)| compare(known, name)).ok()?;
        self.0.get(at).map(|(_, position)| *position)
    }
}

/// Compares a lower-case name with one in any case.
fn compare(lower: &str, any: &str) -> Ordering {
    lower.bytes().cmp(any.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_and_nothing_else_is() {
        let names = Names::new(["userName", "name", "$ref"].into_iter()).unwrap();

        assert_eq!(names.find("USERNAME"), Some(0));
        assert_eq!(names.find("name"), Some(1));
        assert_eq!(names.find("$REF"), Some(2));
        assert_eq!(names.find("user"), None);
        assert_eq!(names.find("userNamé"), None);
    }

    #[test]
    fn two_names_that_differ_in_case_only_are_refused() {
        assert_eq!(Names::new(["Name", "name"].into_iter()), Err("name".to_owned()));
    }
}
