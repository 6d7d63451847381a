//! Catalogues that exist only as a file which somebody exported (RFC 4180).

use super::{CatalogueCsv, Problem};
use gateway_domain::policy::CatalogueConfig;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MAX_FILE: u64 = 64 << 20;
const MAX_LINES: usize = 500_000;
/// A broken export is broken on every line; the first few say it.
const MAX_PROBLEMS: usize = 20;

/// The word for an entry that is given to nobody new.
pub const RETIRED: &str = "retired";

/// The file's name, without where it lies: that is nobody's business who reads the catalogue.
pub fn name(config: &CatalogueCsv) -> String {
    Path::new(&config.file).file_name().map_or_else(|| config.file.clone(), |name| name.to_string_lossy().into_owned())
}

/// The day, in UTC, on which the file was written.
pub fn day(config: &CatalogueCsv) -> Option<Date> {
    let written = fs::metadata(&config.file).ok()?.modified().ok()?;
    Some(Timestamp::try_from(written).ok()?.to_zoned(TimeZone::UTC).date())
}

/// Reads the file. Columns `scope.NAME` say where an entitlement holds.
pub fn read(config: &CatalogueCsv) -> Result<Vec<CatalogueConfig>, Vec<Problem>> {
    let of_file = |message: String| vec![Problem::of_file(&config.file, 1, message)];
    match fs::metadata(&config.file) {
        Err(error) => return Err(of_file(format!("the catalogue cannot be read: {}", error.kind()))),
        Ok(found) if found.len() > MAX_FILE => return Err(of_file("the catalogue is larger than 64 MiB".to_owned())),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&config.file)
        .map_err(|error| of_file(format!("the catalogue cannot be read as UTF-8 text: {}", error.kind())))?;
    entries(config, &text)
}

fn entries(config: &CatalogueCsv, text: &str) -> Result<Vec<CatalogueConfig>, Vec<Problem>> {
    let mut lines = records(text.strip_prefix('\u{feff}').unwrap_or(text));
    let (_, head) = lines.next().unwrap_or_default();
    let column = |name: &str| head.iter().position(|known| known.trim() == name);
    let of_file = |line: usize, message: String| Problem::of_file(&config.file, line, message);
    let known = || format!("the first line names: {}", head.join(", "));
    let value = column(&config.value)
        .ok_or_else(|| vec![of_file(1, format!("there is no column {:?}", config.value)).hint(known())])?;
    let ty = column("type");
    if config.ty.is_none() && ty.is_none() {
        let problem = of_file(1, "there is no column \"type\"".to_owned());
        return Err(vec![problem.hint("name one type for all lines: type = \"…\" in [target.catalogue_csv]")]);
    }
    let (display, owner, sensitive) = (column(&config.display), column(&config.owner), column(&config.sensitive));
    let (state, active, assignments) = (column(&config.state), column(&config.active), column(&config.assignments));
    let scopes: Vec<(usize, &str)> =
        head.iter().enumerate().filter_map(|(n, name)| Some((n, name.trim().strip_prefix("scope.")?))).collect();
    let (mut entries, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (line, record) in lines {
        let cell = |column: Option<usize>| {
            column.and_then(|n| record.get(n)).map(|text| text.trim()).filter(|text| !text.is_empty())
        };
        let seats = cell(assignments).map(str::parse::<u32>).transpose();
        let of_line = cell(ty).map(str::to_owned).or_else(|| config.ty.clone());
        let entry = match (of_line, cell(Some(value))) {
            (Some(ty), Some(value)) => CatalogueConfig {
                ty,
                value: value.to_owned(),
                display: cell(display).map(str::to_owned),
                owner: cell(owner).map(str::to_owned),
                sensitive: cell(sensitive).is_some_and(|text| is_one_of(text, ["true", "yes", "y", "1"])),
                retired: cell(state).is_some_and(|text| text.eq_ignore_ascii_case(RETIRED))
                    || cell(active).is_some_and(|text| is_one_of(text, ["false", "no", "n", "0"])),
                assignments: seats.clone().unwrap_or_default(),
                scope: scopes
                    .iter()
                    .filter_map(|(n, name)| Some(((*name).to_owned(), cell(Some(*n))?.to_owned())))
                    .collect(),
            },
            _ if record.iter().all(|cell| cell.trim().is_empty()) => continue,
            _ => {
                problems.push(of_file(line, "the line has no type or no value".to_owned()));
                continue;
            }
        };
        if record.len() != head.len() {
            problems.push(of_file(line, format!("{} cells, but {} columns", record.len(), head.len())));
        } else if seats.is_err() {
            problems.push(of_file(line, format!("the column {:?} holds no number", config.assignments)));
        } else if !seen.insert((entry.ty.clone(), entry.value.clone(), entry.scope.clone())) {
            problems.push(of_file(line, "the entitlement stands here for the second time".to_owned()));
        }
        entries.push(entry);
        if entries.len() > MAX_LINES {
            problems.push(of_file(line, format!("more than {MAX_LINES} lines")));
        }
        if problems.len() >= MAX_PROBLEMS || entries.len() > MAX_LINES {
            return Err(problems);
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

fn is_one_of(text: &str, words: [&str; 4]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Records with the line each begins on.
fn records(text: &str) -> impl Iterator<Item = (usize, Vec<String>)> {
    let mut chars = text.chars().peekable();
    let mut line = 1;
    std::iter::from_fn(move || {
        chars.peek()?;
        let (begins, mut record, mut cell, mut quoted) = (line, Vec::new(), String::new(), false);
        while let Some(c) = chars.next() {
            line += usize::from(c == '\n');
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if cell.is_empty() => quoted = true,
                ',' if !quoted => record.push(std::mem::take(&mut cell)),
                '\n' if !quoted => break,
                '\r' if !quoted => {}
                c => cell.push(c),
            }
        }
        record.push(cell);
        Some((begins, record))
    })
}

/// The entries as such a file, in order of type, value and scope: written anew, an unchanged catalogue is the same file.
#[must_use]
pub fn written(entries: &[CatalogueConfig]) -> String {
    let mut entries: Vec<&CatalogueConfig> = entries.iter().collect();
    entries.sort_by_key(|entry| (&entry.ty, &entry.value, &entry.scope));
    let scopes: BTreeSet<&String> = entries.iter().flat_map(|entry| entry.scope.keys()).collect();
    let mut head: Vec<String> =
        ["type", "value", "display", "owner", "sensitive", "state", "assignments"].map(str::to_owned).to_vec();
    head.extend(scopes.iter().map(|name| format!("scope.{name}")));
    let mut text = line(&head);
    for entry in entries {
        let mut cells = vec![
            entry.ty.clone(),
            entry.value.clone(),
            entry.display.clone().unwrap_or_default(),
            entry.owner.clone().unwrap_or_default(),
            if entry.sensitive { "true".to_owned() } else { String::new() },
            if entry.retired { RETIRED.to_owned() } else { String::new() },
            entry.assignments.map(|seats| seats.to_string()).unwrap_or_default(),
        ];
        cells.extend(scopes.iter().map(|name| entry.scope.get(*name).cloned().unwrap_or_default()));
        text += &line(&cells);
    }
    text
}

fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        let plain = !cell.contains([',', '"', '\n', '\r']) && cell.trim() == cell;
        if plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(ty: Option<&str>) -> CatalogueCsv {
        CatalogueCsv {
            file: "c.csv".to_owned(),
            ty: ty.map(str::to_owned),
            value: "id".to_owned(),
            display: "name".to_owned(),
            owner: "owner".to_owned(),
            sensitive: "sensitive".to_owned(),
            state: "state".to_owned(),
            active: "active".to_owned(),
            assignments: "assignments".to_owned(),
        }
    }

    #[test]
    fn an_export_becomes_entries() {
        let text = "id,name,sensitive,scope.facility\r\nT1,\"Nurse, \"\"float\"\"\",Y,EAST\r\nT2,,,\r\n\r\n";

        let entries = entries(&config(Some("template")), text).unwrap();

        let [one, two] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((one.ty.as_str(), one.value.as_str()), ("template", "T1"));
        assert_eq!(one.display.as_deref(), Some("Nurse, \"float\""));
        assert!(one.sensitive && !two.sensitive);
        assert_eq!(one.scope.get("facility").map(String::as_str), Some("EAST"));
        assert_eq!((two.display.as_deref(), two.scope.len()), (None, 0));
    }

    #[test]
    fn who_is_given_to_nobody_new_is_told_by_either_column() {
        let text = "id,state,active\nT1,,true\nT2,,FALSE\nT3,Retired,\nT4,current,\n";

        let entries = entries(&config(Some("template")), text).unwrap();

        let retired: Vec<&str> = entries.iter().filter(|one| one.retired).map(|one| one.value.as_str()).collect();
        assert_eq!(retired, ["T2", "T3"]);
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let entry = |value: &str, scope: &[(&str, &str)]| CatalogueConfig {
            ty: "menu".to_owned(),
            value: value.to_owned(),
            display: Some("Nurse, \"float\"\nnights".to_owned()),
            owner: Some("clinical-apps".to_owned()),
            sensitive: value == "A",
            retired: value == "B",
            assignments: (value == "A").then_some(25),
            scope: scope.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let given = [entry("A", &[]), entry("B", &[("facility", "EAST")]), entry("B", &[("facility", "WEST")])];

        let read = entries(
            &CatalogueCsv { value: "value".into(), display: "display".into(), ..config(None) },
            &written(&given),
        );

        assert_eq!(read.unwrap(), given);
    }

    #[test]
    fn a_broken_export_is_told_line_by_line() {
        let text = "type,id,name\na,1,x\na,1,x\n,2,\n\"a\nb\",3\n";

        let problems = entries(&config(None), text).unwrap_err();

        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [3, 4, 5]);
    }

    #[test]
    fn a_missing_column_is_told_with_those_that_are_there() {
        let problems = entries(&config(None), "kind,value\n").unwrap_err();

        assert_eq!(problems.first().unwrap().message, "there is no column \"id\"");
        assert!(problems.first().unwrap().hint.as_deref().unwrap().contains("kind, value"));
    }
}
