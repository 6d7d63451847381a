//! Which variables an expression may use, by the place it stands in.
//!
//! A name that is known somewhere else in the file but has no value here would be null without a word: an account would be
//! made without it. So each place knows its own, the checker refuses the others, and the schema of the file says which they
//! are (`x-variables`).

/// Names of variables, by place. A field is empty where the connector has no such place.
#[derive(Debug, Clone, Copy)]
pub struct Variables {
    /// Asking whether the target is there.
    pub check: &'static [&'static str],
    /// Reading one record.
    pub get: &'static [&'static str],
    /// Looking records up.
    pub find: &'static [&'static str],
    /// Listing records.
    pub list: &'static [&'static str],
    /// Making a record.
    pub create: &'static [&'static str],
    /// Changing attributes.
    pub update: &'static [&'static str],
    /// Whether a step takes its attributes.
    pub when: &'static [&'static str],
    /// Changing the state.
    pub state: &'static [&'static str],
    /// Reading what a record holds.
    pub held: &'static [&'static str],
    /// Giving or taking one entitlement.
    pub grant: &'static [&'static str],
    /// Writing the whole list of entitlements.
    pub replace: &'static [&'static str],
    /// Deleting a record.
    pub delete: &'static [&'static str],
    /// Asking whether a login would be let in.
    pub effective: &'static [&'static str],
    /// Ending sessions.
    pub revoke_sessions: &'static [&'static str],
    /// Asking what became of work that was taken on.
    pub ticket: &'static [&'static str],
    /// Setting a password.
    pub set_password: &'static [&'static str],
}

impl Variables {
    /// The names at a place in a kind, given as the pointer below the kind: `find/0/request`, `entitlements/role/add`.
    #[must_use]
    pub fn at(&self, place: &str) -> &'static [&'static str] {
        let segments: Vec<&str> = place.split('/').collect();
        match (segments.as_slice(), segments.last()) {
            (["get", ..], _) => self.get,
            (["find", ..], _) => self.find,
            (["list", ..], _) => self.list,
            (["create", ..], _) => self.create,
            (["update", ..], Some(&"when")) => self.when,
            (["update", ..], _) => self.update,
            (["states", ..], _) => self.state,
            (["entitlements", _, "read", ..], _) => self.held,
            (["entitlements", _, "replace", ..], _) => self.replace,
            (["entitlements", ..], _) => self.grant,
            (["delete", ..], _) => self.delete,
            (["effective", ..], _) => self.effective,
            (["revoke_sessions", ..], _) => self.revoke_sessions,
            (["ticket", ..], _) => self.ticket,
            (["set_password", ..], _) => self.set_password,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_names() {
        let names = Variables {
            check: &[],
            get: &["id"],
            find: &["key"],
            list: &[],
            create: &["attrs"],
            update: &["id", "attrs"],
            when: &["attrs"],
            state: &["state"],
            held: &["id"],
            grant: &["entitlement"],
            replace: &["entitlements"],
            delete: &["id"],
            effective: &["id"],
            revoke_sessions: &["id"],
            ticket: &["ticket"],
            set_password: &["password"],
        };
        assert_eq!(names.at("find/0/request"), ["key"]);
        assert_eq!(names.at("update/2/when"), ["attrs"]);
        assert_eq!(names.at("update/2/clear"), ["id", "attrs"]);
        assert_eq!(names.at("entitlements/replace/add"), ["entitlement"]);
        assert_eq!(names.at("entitlements/role/read/request"), ["id"]);
        assert_eq!(names.at("nowhere"), [""; 0]);
    }
}
