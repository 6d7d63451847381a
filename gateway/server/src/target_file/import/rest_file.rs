//! A file of kind `rest` from a description.

use super::names::{attribute, commented, is_id, key, kind, plain, quoted, role};
use super::openapi::{Description, Operation, Schema};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Deepest attribute of a record.
const DEPTH: usize = 3;

/// A kind of records: a collection and what stands in it.
struct Found<'d> {
    name: String,
    collection: &'d str,
    get: &'d Operation,
    record: &'d Schema,
    id: String,
    leaves: Vec<Leaf<'d>>,
    lists: Vec<String>,
}

struct Leaf<'d> {
    name: String,
    pointer: String,
    schema: &'d Schema,
    multi: bool,
    required: bool,
    read_only: bool,
}

/// The file.
pub(super) fn written(description: &Description) -> String {
    let mut out = String::new();
    let kinds = kinds(description);
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    head(description, &mut out);
    check(description, &mut out);
    out.push_str(
        "# ---- what refusals mean ------------------------------------------------------------------\n\n[errors]\n",
    );
    out.push_str("# code_at = [\"/code\"]               # where an error's code stands, and the field that is refused\n# field_at = \"/field\"\n");
    out.push_str("# One rule for each code that the vendor's manual lists:\n# [[errors.rules]]\n# code = [\"…\"]\n# class = \"AlreadyExists\"\n\n[kinds]\n\n");
    for found in &kinds {
        of_kind(description, found, &mut used, &mut out);
    }
    out.push_str(
        "# ---- what else the target can do ------------------------------------------------------------\n#\n",
    );
    out.push_str(
        "# Requests for the places that they belong to: states, entitlements, effective, revoke_sessions.\n\n",
    );
    for operation in
        description.operations.iter().filter(|one| !used.contains(&(one.method.as_str(), one.path.as_str())))
    {
        let name = plain(&operation.name);
        let request = format!("{{ method = \"{}\", path = {} }}", operation.method, quoted(&plain(&operation.path)));
        let _ = writeln!(out, "# {request}{}", if name.is_empty() { name } else { format!("     # {name}") });
    }
    out
}

fn head(description: &Description, out: &mut String) {
    let _ = writeln!(
        out,
        "# {}: a starting file, made from OpenAPI by `chartgate target import`.",
        plain(&description.title)
    );
    out.push_str("# What is not certain is a comment: read it all, take what fits, and record cases for it (`chartgate target record`).\n");
    out.push_str("# To the [target] of a configuration belong\n#\n#   [target.settings.http]\n");
    let url = description.server.as_deref().filter(|url| url.starts_with("http"));
    let _ = writeln!(out, "#   url = {}", quoted(&plain(url.unwrap_or("https://ehr.hosp.example"))));
    out.push_str("#   allow_networks = [\"10.20.0.0/16\"]        # where the target has a private address\n");
    out.push_str("#   [target.settings.http.auth]\n");
    for line in &description.security {
        let _ = writeln!(out, "#   # {}", plain(line));
    }
    out.push_str("#   token = { file = \"/run/secrets/ehr\" }\n\nkind = \"rest\"\nspi = \"1\"\n");
    out.push_str(
        "# idempotency_header = \"Idempotency-Key\"   # where the target knows a repeated request again\n\n[http]\n\n",
    );
}

fn check(description: &Description, out: &mut String) {
    let reads = description.operations.iter().filter(|one| one.method == "GET");
    let plain_read = reads.clone().filter(|one| !one.path.contains('{')).min_by_key(|one| one.path.len());
    out.push_str(
        "# It must change nothing and succeed where the target is there and lets us in.\n[check]\nmethod = \"GET\"\n",
    );
    let path = plain_read.map_or("/", |one| one.path.as_str());
    let _ = writeln!(out, "path = {}\n", quoted(&plain(path)));
}

/// `/a/b/{c}` as `/a/b`, where the last segment is the only place.
fn collection(path: &str) -> Option<&str> {
    let (before, last) = path.trim_end_matches('/').rsplit_once('/')?;
    let fits = last.starts_with('{') && last.ends_with('}') && !before.contains('{') && !before.is_empty();
    fits.then_some(before)
}

fn kinds(description: &Description) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for get in description.operations.iter().filter(|one| one.method == "GET") {
        let Some(collection) = collection(&get.path) else { continue };
        let Some(record) = get.answer.as_ref().filter(|schema| !schema.members.is_empty()) else { continue };
        let last = collection.rsplit('/').next().unwrap_or(collection);
        let name = kind(singular(last));
        if found.iter().any(|one| one.name == name) {
            continue;
        }
        let ids = ["id", "Id", "ID"].map(str::to_owned);
        let place = get.path.rsplit('/').next().unwrap_or_default().trim_matches(['{', '}']).to_owned();
        let named = ids.into_iter().chain([place]).find(|name| record.members.get(name).is_some_and(Schema::is_leaf));
        let id = named.or_else(|| {
            record.members.iter().find(|(name, of)| of.is_leaf() && is_id(name)).map(|(name, _)| name.clone())
        });
        let mut one =
            Found { name, collection, get, record, id: id.unwrap_or_default(), leaves: Vec::new(), lists: Vec::new() };
        leaves(one.record, "", true, false, 1, &mut one);
        found.push(one);
    }
    found
}

fn singular(name: &str) -> &str {
    match name {
        _ if name.ends_with("ss") || name.ends_with("us") => name,
        _ => name.strip_suffix('s').filter(|stem| !stem.is_empty()).unwrap_or(name),
    }
}

/// The nearer ones first: of two with one name they have it.
fn leaves<'d>(of: &'d Schema, at: &str, required: bool, read_only: bool, depth: usize, found: &mut Found<'d>) {
    let mut nested = Vec::new();
    for (name, member) in &of.members {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let required = required && of.required.contains(name);
        let read_only = read_only || member.read_only;
        let items = member.items.as_deref().filter(|_| member.ty == "array");
        if pointer == format!("/{}", found.id) || member.write_only || name.chars().any(char::is_control) {
            continue;
        }
        let multi = items.is_some_and(Schema::is_leaf);
        if member.is_leaf() || multi {
            let mut own = attribute(name);
            if found.leaves.iter().any(|leaf| leaf.name == own) {
                own = attribute(&pointer);
            }
            if !found.leaves.iter().any(|leaf| leaf.name == own) {
                let schema = if multi { items.unwrap_or(member) } else { member };
                found.leaves.push(Leaf { name: own, pointer, schema, multi, required, read_only });
            }
        } else if items.is_some() {
            found.lists.push(pointer);
        } else if depth < DEPTH {
            nested.push((member, pointer, required, read_only));
        }
    }
    for (member, pointer, required, read_only) in nested {
        leaves(member, &pointer, required, read_only, depth + 1, found);
    }
}

fn of_kind<'d>(
    description: &'d Description,
    found: &Found<'d>,
    used: &mut BTreeSet<(&'d str, &'d str)>,
    out: &mut String,
) {
    let name = key(&found.name);
    let _ = writeln!(out, "# ---- {} {:-<80}\n\n[kinds.{name}]\nrole = \"{}\"", found.name, "", role(&found.name));
    let id = if found.id.is_empty() {
        "/id".to_owned()
    } else {
        format!("/{}", found.id.replace('~', "~0").replace('/', "~1"))
    };
    let _ = writeln!(
        out,
        "# Which attributes identify a record for ever; each needs a search of its own:\n# natural_keys = [[\"…\"]]\n"
    );
    let _ = writeln!(out, "[kinds.{name}.record]\nid = {}", quoted(&id));
    out.push_str("# version = \"/etag\"                 # where it does not come as an ETag\n");
    out.push_str("# state = [{ when = { at = \"/active\", equals = true }, is = \"enabled\" }]\n\n");
    let at =
        |method: &str, path: &str| description.operations.iter().find(|one| one.method == method && one.path == path);
    let change = at("PATCH", &found.get.path).or_else(|| at("PUT", &found.get.path));
    let _ = writeln!(out, "[kinds.{name}.attributes]");
    for leaf in &found.leaves {
        let _ = writeln!(out, "{} = {{ {} }}", key(&leaf.name), attribute_line(leaf, change.is_some()));
    }
    for list in &found.lists {
        let _ = writeln!(
            out,
            "# … = {{ at = {}, listed = {{ with = {{ … }}, value = \"/…\" }} }}     # a list of objects: pick one by its members",
            quoted(list)
        );
    }
    let path = quoted(&format!("{}/{{id}}", plain(found.collection)));
    let _ = writeln!(out, "\n[kinds.{name}.get]\nmethod = \"GET\"\npath = {path}\n");
    used.insert(("GET", &found.get.path));
    if let Some(list) = at("GET", found.collection) {
        used.insert(("GET", &list.path));
        let items = items(list);
        let found_by = found.leaves.iter().filter(|leaf| !leaf.multi && list.query.contains(&leaf.name));
        for leaf in found_by {
            let _ = writeln!(
                out,
                "# It must find inactive records too.\n[[kinds.{name}.find]]\nkey = [{own}]\nitems = {items}\n\
                 request = {{ method = \"GET\", path = {path}, query = {{ {own_key} = \"key.{own_plain}\" }} }}\n",
                own = quoted(&leaf.name),
                own_key = key(&leaf.name),
                own_plain = leaf.name,
                path = quoted(&plain(found.collection)),
            );
        }
        let _ = writeln!(
            out,
            "# It must list inactive records too.\n[kinds.{name}.list]\nitems = {items}\n{}",
            pages(list)
        );
        let _ = writeln!(out, "request = {{ method = \"GET\", path = {} }}\n", quoted(&plain(found.collection)));
    }
    if let Some(change) = change {
        used.insert((&change.method, &change.path));
        let content =
            change.body.as_ref().map(|(content, _)| content.as_str()).filter(|content| *content != "application/json");
        let content =
            content.map(|content| format!(", content_type = {}", quoted(&plain(content)))).unwrap_or_default();
        // PUT replaces: what is not sent would be gone.
        let base = if change.method == "PUT" { ", base = \"record\"" } else { "" };
        let _ = writeln!(
            out,
            "[[kinds.{name}.update]]\nrequest = {{ method = \"{}\", path = {path}, body = {{ attributes = true{base}{content} }} }}\n",
            change.method
        );
    }
    if let Some(make) = at("POST", found.collection) {
        used.insert((&make.method, &make.path));
        out.push_str("# Makes a record: to be taken when natural_keys and a search for each of them are written.\n");
        let request = format!(
            "[kinds.{name}.create]\nid = {}\nrequest = {{ method = \"POST\", path = {}, body = {{ attributes = true }} }}",
            quoted(&id),
            quoted(&plain(found.collection))
        );
        out.push_str(&commented(&request));
        out.push('\n');
    }
    if let Some(end) = at("DELETE", &found.get.path) {
        used.insert((&end.method, &end.path));
        out.push_str("# Signatures in a chart point at the account for ever: think twice.\n");
        let _ = writeln!(out, "# [kinds.{name}.delete]\n# method = \"DELETE\"\n# path = {path}\n");
    }
}

fn attribute_line(leaf: &Leaf<'_>, changes: bool) -> String {
    let mut parts = vec![format!("at = {}", quoted(&leaf.pointer))];
    let ty = match (leaf.schema.ty.as_str(), leaf.schema.format.as_str()) {
        ("boolean", _) => Some("boolean"),
        ("integer", _) => Some("integer"),
        (_, "date-time") => Some("timestamp"),
        _ => None,
    };
    parts.extend(ty.map(|ty| format!("type = \"{ty}\"")));
    if leaf.multi {
        parts.push("multi = true".to_owned());
    }
    if leaf.read_only {
        parts.push("creatable = false, updatable = false".to_owned());
    } else {
        if leaf.required {
            parts.push("required = true".to_owned());
        }
        if !changes {
            parts.push("updatable = false".to_owned());
        }
    }
    let most = leaf.schema.max_length.and_then(|most| u32::try_from(most).ok());
    parts.extend(most.filter(|_| ty.is_none()).map(|most| format!("max_length = {most}")));
    if ty.is_none() && !leaf.schema.allowed.is_empty() {
        let all: Vec<String> = leaf.schema.allowed.iter().map(|text| quoted(text)).collect();
        parts.push(format!("allowed = [{}]", all.join(", ")));
    }
    parts.join(", ")
}

/// Where the list of records stands in an answer.
fn items(list: &Operation) -> String {
    let Some(answer) = &list.answer else { return quoted("") };
    if answer.ty == "array" {
        return quoted("");
    }
    let lists = answer.members.iter().find(|(_, of)| of.items.as_ref().is_some_and(|items| !items.members.is_empty()));
    quoted(&lists.map(|(name, _)| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).unwrap_or_default())
}

/// How a list is cut into pages, as its parameters look.
fn pages(list: &Operation) -> String {
    let named =
        |names: &[&str]| list.query.iter().find(|query| names.iter().any(|name| query.eq_ignore_ascii_case(name)));
    let limit = named(&["limit", "pageSize", "page_size", "perPage", "per_page", "size", "count"]);
    let (offset, page) = (named(&["offset", "skip", "startIndex"]), named(&["page", "pageNumber", "page_number"]));
    let cursor = named(&["cursor", "pageToken", "page_token", "continuationToken", "next"]);
    match (limit, offset, page, cursor) {
        (Some(limit), Some(offset), ..) => {
            format!("pages = {{ by = \"offset\", offset = {}, limit = {} }}", quoted(offset), quoted(limit))
        }
        (Some(limit), _, _, Some(cursor)) => {
            let next = list.answer.as_ref().and_then(|answer| {
                let names = answer.members.keys().find(|name| name.to_ascii_lowercase().contains("next"));
                names.map(|name| format!("/{name}"))
            });
            let at = next.unwrap_or_else(|| "/next".to_owned());
            let parts = [quoted(cursor), quoted(limit), quoted(&at)];
            let [cursor, limit, at] = parts;
            format!("pages = {{ by = \"cursor\", cursor = {cursor}, limit = {limit}, next_at = {at} }}")
        }
        (Some(limit), _, Some(page), _) => {
            format!(
                "pages = {{ by = \"page\", page = {}, limit = {}, first = 1 }}     # or first = 0",
                quoted(page),
                quoted(limit)
            )
        }
        _ => "# pages = { by = \"cursor\", … }     # all in one answer, as far as the description says".to_owned(),
    }
}
