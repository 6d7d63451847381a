//! The audit row: who did what to what, in bytes that never change.

use crate::ResourceId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A resource was created.
    Create,
    /// A resource was replaced or changed.
    Update,
    /// A resource was deleted.
    Delete,
    /// A create was taken back because every target refused it.
    TakeBack,
    /// A target was changed, or refused to be.
    Settle,
    /// Wanted states were computed anew without a request.
    Sweep,
    /// An operator acted.
    Operate,
}

impl Action {
    /// The name in exports and in the canonical bytes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::TakeBack => "take-back",
            Action::Settle => "settle",
            Action::Sweep => "sweep",
            Action::Operate => "operate",
        }
    }
}

/// One accepted change or one attempt at a target. Written in the transaction of what it records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When, as the gateway's clock said.
    pub at: Timestamp,
    /// Who: `source:NAME`, `target:NAME`, `operator:NAME` or `gateway`.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// To which resource.
    pub resource: Option<ResourceId>,
    /// Resource type, or target and kind.
    pub subject: String,
    /// The version or generation that it led to.
    pub version: u64,
    /// What it consisted of: names of attributes, target, outcome. Never a value that is secret.
    pub detail: String,
}

/// The version of [`AuditEntry::canonical`]. A later form gets another number; the old one stays readable.
pub const CANONICAL_VERSION: u8 = 1;

impl AuditEntry {
    /// The bytes that the hash chain covers: the version octet, then each field as a 4-octet big-endian length and its UTF-8
    /// text. Lengths in front make two different rows have different bytes whatever they contain.
    #[must_use]
    pub fn canonical(&self, seq: u64) -> Vec<u8> {
        let resource = self.resource.as_ref().map_or("", ResourceId::as_str);
        let mut bytes = Vec::with_capacity(96 + self.actor.len() + self.detail.len());
        bytes.push(CANONICAL_VERSION);
        let numbers = [seq.to_string(), self.at.as_microsecond().to_string(), self.version.to_string()];
        let [seq, at, version] = &numbers;
        for field in [seq, at, &self.actor, self.action.name(), resource, &self.subject, version, &self.detail] {
            // A field longer than 4 GiB cannot arise: bodies are bounded far below.
            bytes.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(actor: &str, subject: &str) -> AuditEntry {
        AuditEntry {
            at: Timestamp::from_microsecond(1_000_000).unwrap(),
            actor: actor.into(),
            action: Action::Create,
            resource: Some("r".into()),
            subject: subject.into(),
            version: 1,
            detail: String::new(),
        }
    }

    #[test]
    fn canonical_bytes_of_version_1_never_change() {
        let hex: String = entry("source:a", "User").canonical(7).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "01000000013700000007313030303030300000000\
             8736f757263653a6100000006637265617465000000017200000004557365720000000131\
             00000000"
                .replace(' ', "")
        );
    }

    #[test]
    fn moving_text_between_fields_changes_the_bytes() {
        assert_ne!(entry("ab", "c").canonical(1), entry("a", "bc").canonical(1));
    }
}
