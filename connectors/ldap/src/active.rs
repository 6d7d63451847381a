//! What is different in an Active Directory, as pure functions: ids, account control, end dates, passwords, names.
//!
//! Measured against Samba's domain controller; where Windows is stricter (names of more than 20 characters, an account that is
//! enabled without a password) its rule is held here, so that neither server is asked.

use connector_spi::{ConnError, Result, Secret, Value};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

/// The attribute with the lasting id.
pub const ID: &str = "objectGUID";
/// The attribute that changes with every change.
pub const VERSION: &str = "uSNChanged";
/// The attribute with the account's flags.
pub const CONTROL: &str = "userAccountControl";
/// The attribute with the end of an account.
pub const END: &str = "accountExpires";
/// The attribute of passwords; it can be written over TLS only, and never read.
pub const PASSWORD: &str = "unicodePwd";
/// When the password was last set; 0 where there is none, or where it must be changed at the next login.
pub const PASSWORD_SET: &str = "pwdLastSet";
/// The login name of former times, compulsory for accounts and groups.
pub const NAME: &str = "sAMAccountName";
/// The last part of the id of the account's primary group.
pub const PRIMARY: &str = "primaryGroupID";
/// The security id.
pub const SID: &str = "objectSid";

/// The primary group of every new account: Domain Users.
pub const DOMAIN_USERS: u32 = 513;

/// Bit 2 of the account's flags: the account is disabled.
const DISABLED: u32 = 0x0002;
/// The account needs no password.
const NO_PASSWORD: u32 = 0x0020;
/// An ordinary account.
const NORMAL: u32 = 0x0200;

/// The flags of a new account: ordinary, and disabled until everything else is done.
pub const NEW: u32 = NORMAL | DISABLED;

/// Attributes that the server fills in although its classes demand them.
pub const FILLED_IN: [&str; 4] = ["instanceType", "nTSecurityDescriptor", "objectCategory", "groupType"];

/// Attributes that only this connector or the server writes.
pub const OWN: [&str; 10] = [
    CONTROL,
    PASSWORD,
    PASSWORD_SET,
    PRIMARY,
    SID,
    VERSION,
    "instanceType",
    "nTSecurityDescriptor",
    "objectCategory",
    "sAMAccountType",
];

/// The account's flags with the one bit set or cleared, whatever the others are. Never a toggle: doing it twice is doing it
/// once.
#[must_use]
pub fn flags(now: u32, enabled: bool) -> u32 {
    if enabled { now & !DISABLED } else { now | DISABLED }
}

/// Whether the flags say that the account is disabled.
#[must_use]
pub fn is_disabled(flags: u32) -> bool {
    flags & DISABLED != 0
}

/// Whether the flags say that the account needs no password.
#[must_use]
pub fn needs_password(flags: u32) -> bool {
    flags & NO_PASSWORD == 0
}

/// Flags as the directory writes them: a signed number.
#[must_use]
pub fn read_flags(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().map(i32::cast_unsigned)
}

/// A password as it is sent: in quotes, UTF-16, low octet first.
#[must_use]
pub fn password(secret: &Secret) -> Vec<u8> {
    format!("\"{}\"", secret.expose()).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Seconds from 1601-01-01 to 1970-01-01, both UTC.
const EPOCH: i64 = 11_644_473_600;
/// Ticks of 100 nanoseconds in a second.
const TICKS: i64 = 10_000_000;
/// No end.
pub const NEVER: &str = "9223372036854775807";

/// An instant as ticks since 1601.
#[must_use]
pub fn ticks(at: Timestamp) -> String {
    let (seconds, rest) = (at.as_second(), i64::from(at.subsec_nanosecond()) / 100);
    seconds.saturating_add(EPOCH).saturating_mul(TICKS).saturating_add(rest).max(1).to_string()
}

/// The instant of ticks; `None` where they mean that there is no end.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let ticks: i64 = text.parse().ok().filter(|ticks| *ticks > 0 && *ticks != i64::MAX)?;
    let since = SignedDuration::from_secs(ticks / TICKS - EPOCH)
        .checked_add(SignedDuration::from_nanos(ticks % TICKS * 100))?;
    Timestamp::UNIX_EPOCH.checked_add(since).ok()
}

/// Checks a login name: at most 20 characters, none that a path or a list uses, no full stop at the end.
///
/// # Errors
/// `Invalid` with the attribute's name.
pub fn check_name(values: &[Value], account: bool) -> Result<()> {
    for text in values.iter().filter_map(Value::as_text) {
        let why = if account && text.chars().count() > 20 {
            "has more than 20 characters"
        } else if text.contains(['"', '/', '\\', '[', ']', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@']) {
            "has a character that login names may not have"
        } else if text.ends_with('.') || text.trim().is_empty() {
            "ends in a full stop, or is blank"
        } else {
            continue;
        };
        return Err(ConnError::invalid(format!("{NAME} {why}")).attribute(NAME));
    }
    Ok(())
}

/// A lasting id as text: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. The first three parts are kept low octet first.
#[must_use]
pub fn guid(octets: &[u8]) -> Option<String> {
    let [a, b, c, d, e, f, g, h, rest @ ..] = <&[u8; 16]>::try_from(octets).ok()?;
    let mut text = String::with_capacity(36);
    for (at, octet) in [d, c, b, a, f, e, h, g].into_iter().chain(rest).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    Some(text)
}

/// The octets of a lasting id.
#[must_use]
pub fn octets(guid: &str) -> Option<[u8; 16]> {
    let parts: Vec<&str> = guid.split('-').collect();
    if parts.iter().map(|part| part.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits: Vec<u32> = guid.chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let mut read = digits.chunks_exact(2).filter_map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    let mut next = || read.next().unwrap_or_default();
    let (d, c, b, a, f, e, h, g) = (next(), next(), next(), next(), next(), next(), next(), next());
    Some([a, b, c, d, e, f, g, h, next(), next(), next(), next(), next(), next(), next(), next()])
}

/// The name by which a write reaches the entry with this id and no other, whatever it is called by now.
#[must_use]
pub fn by_id(id: &str) -> Option<String> {
    octets(id).map(|_| format!("<GUID={id}>"))
}

/// The security id of an account's primary group: the account's own with another last part.
#[must_use]
pub fn primary_group(sid: &[u8], group: u32) -> Option<Vec<u8>> {
    let domain = sid.get(..sid.len().checked_sub(4)?).filter(|domain| domain.len() >= 8)?;
    Some([domain, &group.to_le_bytes()].concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_set_or_cleared_and_the_others_stay() {
        for others in [0x0200, 0x1_0200, 0x0010_0220, 0x8000_0200_u32] {
            let (open, closed) = (flags(others | 2, true), flags(others, false));
            assert_eq!((open, closed), (others, others | 2));
            assert_eq!((flags(open, true), flags(closed, false)), (open, closed), "doing it twice is doing it once");
        }
        assert_eq!(read_flags("66050"), Some(0x1_0202));
        assert_eq!(read_flags("-2147483136"), Some(0x8000_0200));
    }

    #[test]
    fn an_end_goes_there_and_back_and_never_means_none() {
        let at: Timestamp = "2026-09-21T04:00:00Z".parse().unwrap();
        assert_eq!(ticks(at), "134344368000000000");
        assert_eq!(instant(&ticks(at)), Some(at));
        assert_eq!(
            instant(&ticks("1601-01-01T00:00:01Z".parse().unwrap())).unwrap().to_string(),
            "1601-01-01T00:00:01Z"
        );
        for never in ["0", NEVER, "", "-1", "soon"] {
            assert_eq!(instant(never), None, "{never}");
        }
    }

    #[test]
    fn an_id_goes_there_and_back() {
        let raw = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        let text = guid(&raw).unwrap();
        assert_eq!(text, "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(octets(&text), Some(raw));
        assert_eq!(by_id(&text).unwrap(), "<GUID=00112233-4455-6677-8899-aabbccddeeff>");
        for bad in ["", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefg", "0>,CN=x"] {
            assert_eq!((octets(bad), by_id(bad)), (None, None), "{bad}");
        }
        assert_eq!(guid(&raw[..15]), None);
    }

    #[test]
    fn a_password_is_quoted_and_low_octet_first() {
        assert_eq!(password(&Secret::new("Aä".into())), [34, 0, 65, 0, 0xe4, 0, 34, 0]);
    }

    #[test]
    fn login_names_follow_the_rules() {
        let check = |text: &str, account: bool| check_name(&[Value::from(text)], account).is_ok();
        assert!(
            check("twenty-characters-20", true) && check("a.b$ c", true) && check("a group of more than twenty", false)
        );
        for bad in ["twenty-one-characters", "a/b", "a@b", "a*", "a.", " ", "a,b", "a\\b"] {
            assert!(!check(bad, true), "{bad}");
        }
    }

    #[test]
    fn the_primary_group_is_in_the_accounts_domain() {
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 3, 4, 0x50, 4, 0, 0];
        assert_eq!(primary_group(&sid, 513).unwrap()[16..], [1, 2, 0, 0]);
        assert_eq!(primary_group(&sid[..9], 513), None);
    }
}
