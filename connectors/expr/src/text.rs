//! Text functions that are more than one call: cutting, padding, folding to ASCII, telephone numbers.

use unicode_normalization::UnicodeNormalization;

use crate::error::EvalError;

/// The widest that `pad` makes a text, in characters.
const WIDTH: i64 = 1_024;

/// The first `n` characters; nothing for a negative number.
pub(crate) fn left(text: &str, n: i64) -> &str {
    let n = usize::try_from(n).unwrap_or(0);
    let end = text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// The last `n` characters; nothing for a negative number.
pub(crate) fn right(text: &str, n: i64) -> &str {
    let n = usize::try_from(n).unwrap_or(0);
    let skip = text.chars().count().saturating_sub(n);
    let start = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    text.get(start..).unwrap_or_default()
}

/// Fills up on the left to `width` characters; a longer text stays whole.
pub(crate) fn pad(text: &str, width: i64, fill: &str) -> Result<String, EvalError> {
    let mut fills = fill.chars();
    let (Some(fill), None) = (fills.next(), fills.next()) else {
        return Err(EvalError::value("`pad` fills with exactly one character"));
    };
    if width > WIDTH {
        return Err(EvalError::limit("`pad` makes at most 1,024 characters"));
    }
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    Ok(std::iter::repeat_n(fill, missing).chain(text.chars()).collect())
}

/// The text in ASCII: marks are dropped, letters that do not decompose are spelled out, what has no spelling is dropped.
pub(crate) fn ascii_fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd() {
        match c {
            c if c.is_ascii() => folded.push(c),
            'ß' => folded.push_str("ss"),
            'ẞ' => folded.push_str("SS"),
            'æ' => folded.push_str("ae"),
            'Æ' => folded.push_str("AE"),
            'œ' => folded.push_str("oe"),
            'Œ' => folded.push_str("OE"),
            'þ' => folded.push_str("th"),
            'Þ' => folded.push_str("Th"),
            'ø' => folded.push('o'),
            'Ø' => folded.push('O'),
            'ł' => folded.push('l'),
            'Ł' => folded.push('L'),
            'đ' | 'ð' => folded.push('d'),
            'Đ' | 'Ð' => folded.push('D'),
            'ħ' => folded.push('h'),
            'Ħ' => folded.push('H'),
            'ŋ' => folded.push('n'),
            'Ŋ' => folded.push('N'),
            'ŧ' => folded.push('t'),
            'Ŧ' => folded.push('T'),
            'ı' => folded.push('i'),
            '‘' | '’' | '′' | 'ʼ' => folded.push('\''),
            '“' | '”' | '″' => folded.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '−' => folded.push('-'),
            _ => {}
        }
    }
    folded
}

/// Lower-case ASCII letters and digits, everything between them one hyphen.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in ascii_fold(text).chars() {
        match c.to_ascii_lowercase() {
            '\'' => {}
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    if slug.ends_with('-') {
        slug.pop();
    }
    slug
}

/// The ASCII digits of the text.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The telephone number in the form of ITU-T E.164: `+` and 7 to 15 digits; none when it cannot be made into one.
///
/// A number without `+` or `00` needs the country calling code; then one leading zero, the trunk prefix, is dropped (but
/// for Italy, 39, and San Marino, 378, where it is dialled), and for the North American plan (1) a leading 1.
pub(crate) fn e164(text: &str, country: Option<&str>) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let text = text.split(';').next().unwrap_or_default().trim();
    if !text.chars().all(|c| c.is_ascii_digit() || " +-./()\u{a0}".contains(c)) {
        return None;
    }
    let bare = digits(text);
    let number = if text.starts_with('+') {
        // "+49 (0)30 …" writes the trunk prefix in brackets: not part of the number.
        digits(&text.replace("(0)", ""))
    } else if let Some(international) = bare.strip_prefix("00") {
        international.to_owned()
    } else {
        let country = digits(country?);
        if country.is_empty() || country.len() > 3 {
            return None;
        }
        let national = match country.as_str() {
            "39" | "378" => bare.as_str(),
            "1" if bare.len() == 11 => bare.strip_prefix('1').unwrap_or(&bare),
            _ => bare.strip_prefix('0').unwrap_or(&bare),
        };
        format!("{country}{national}")
    };
    let valid = (7..=15).contains(&number.len()) && !number.starts_with('0');
    valid.then(|| format!("+{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_characters_and_never_splits_one() {
        assert_eq!(left("Zoë", 3), "Zoë");
        assert_eq!(right("Zoë", 1), "ë");
        assert_eq!(left("ab", 9), "ab");
        assert_eq!(right("ab", -1), "");
    }

    #[test]
    fn folding_leaves_only_ascii() {
        assert_eq!(ascii_fold("Ærøskøbing Straße Łódź Þór"), "AEroskobing Strasse Lodz Thor");
        assert_eq!(ascii_fold("王"), "");
        assert_eq!(slug("  Étage 3 / Nord  "), "etage-3-nord");
        assert_eq!(slug("O'Example-Test"), "oexample-test");
    }

    #[test]
    fn telephone_numbers_become_e164_or_nothing() {
        assert_eq!(e164("+1 (555) 010-0199", None).as_deref(), Some("+15550100199"));
        assert_eq!(e164("(555) 010-0199", Some("1")).as_deref(), Some("+15550100199"));
        assert_eq!(e164("030 5550199", Some("+49")).as_deref(), Some("+49305550199"));
        assert_eq!(e164("+49 (0)30 5550199", None).as_deref(), Some("+49305550199"));
        assert_eq!(e164("0049 30 5550199", None).as_deref(), Some("+49305550199"));
        assert_eq!(e164("tel:+1-555-010-0199;ext=4", None).as_deref(), Some("+15550100199"));
        assert_eq!(e164("06 5550199", Some("39")).as_deref(), Some("+39065550199"));
        assert_eq!(e164("ext. 4711", Some("1")), None);
        assert_eq!(e164("5550199", None), None);
        assert_eq!(e164("+0123456789", None), None);
    }
}
