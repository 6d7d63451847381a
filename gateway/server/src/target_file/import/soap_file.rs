//! A file of kind `soap` from a description.

use super::names::{attribute, commented, is_id, key, kind, plain, quoted, role};
use super::wsdl::{Description, Operation, Part, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use url::Url;

const READS: [&str; 9] = ["View", "Get", "Read", "Retrieve", "Lookup", "Query", "Show", "Fetch", "Load"];
const MAKES: [&str; 5] = ["Create", "Add", "New", "Insert", "Register"];
const CHANGES: [&str; 5] = ["Update", "Modify", "Change", "Edit", "Replace"];
/// Deepest attribute of a record.
const DEPTH: usize = 3;

/// One attribute of a record.
struct Leaf<'d> {
    name: String,
    path: Vec<&'d Part>,
    required: bool,
}

/// A kind of records that can be read.
struct Found<'d> {
    name: String,
    service: &'d str,
    get: &'d Operation,
    record: &'d Part,
    id: Option<&'d Part>,
    leaves: Vec<Leaf<'d>>,
    /// Elements that repeat and have parts: they need a condition each.
    lists: Vec<String>,
}

struct Writer<'d> {
    prefixes: BTreeMap<&'d str, String>,
    out: String,
}

/// The file.
pub(super) fn written(description: &Description) -> String {
    let mut writer = Writer { prefixes: prefixes(description), out: String::new() };
    writer.head(description);
    let kinds = kinds(description, &writer);
    writer.checks(description);
    writer.errors(description);
    writer.out.push_str("[kinds]\n\n");
    let mut used: BTreeSet<*const Operation> = BTreeSet::new();
    for found in &kinds {
        writer.kind(description, found, &mut used);
    }
    writer.rest(description, &used);
    writer.out
}

/// `p` for the first namespace of a message, `p2`, `p3` and so on for others.
fn prefixes(description: &Description) -> BTreeMap<&str, String> {
    fn gather<'d>(part: &'d Part, found: &mut Vec<&'d str>) {
        if !part.name.0.is_empty() && !found.contains(&part.name.0.as_str()) {
            found.push(&part.name.0);
        }
        part.parts.iter().for_each(|part| gather(part, found));
    }
    let mut found = Vec::new();
    for operation in description.services.iter().flat_map(|service| &service.operations) {
        let all = [&operation.input, &operation.output].into_iter().chain(&operation.faults);
        all.for_each(|part| gather(part, &mut found));
    }
    let name = |place: usize| if place == 0 { "p".to_owned() } else { format!("p{}", place + 1) };
    found.into_iter().enumerate().map(|(place, namespace)| (namespace, name(place))).collect()
}

/// Whether an element of this name is the id of a record of this kind: `ID`, `UserID`, `user_id`.
fn names_itself(kind: &str, element: &str) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let element = plain(element);
    ["id", "identifier"].iter().any(|end| element == *end || element == format!("{}{end}", plain(kind)))
}

fn begins(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.starts_with(word))
}

/// Kinds that some operation reads: its answer holds one element with parts.
fn kinds<'d>(description: &'d Description, writer: &Writer<'d>) -> Vec<Found<'d>> {
    let mut found: Vec<Found<'d>> = Vec::new();
    for service in &description.services {
        for get in service.operations.iter().filter(|operation| begins(&operation.name, &READS)) {
            let mut holds = get.output.parts.iter().filter(|part| !part.parts.is_empty() && !part.repeated);
            let (Some(record), None) = (holds.next(), holds.next()) else { continue };
            let name = kind(&record.name.1);
            if found.iter().any(|one| one.name == name) {
                continue;
            }
            // A record has ids of others in it: only one that is called like the record itself is its own.
            let own = |part: &&Part| part.is_leaf() && !part.repeated && names_itself(&name, &part.name.1);
            let id = record.parts.iter().find(own);
            let mut one =
                Found { name, service: &service.name, get, record, id, leaves: Vec::new(), lists: Vec::new() };
            let mut path = Vec::new();
            leaves(record, &mut path, true, writer, &mut one);
            found.push(one);
        }
    }
    found
}

/// The nearer ones first: of two with one name they have it.
fn leaves<'d>(of: &'d Part, path: &mut Vec<&'d Part>, required: bool, writer: &Writer<'d>, found: &mut Found<'d>) {
    let mut nested = Vec::new();
    for part in &of.parts {
        path.push(part);
        let required = required && !part.optional;
        if part.is_leaf() && !found.id.is_some_and(|id| std::ptr::eq(id, part)) {
            let mut name = attribute(&part.name.1);
            if found.leaves.iter().any(|leaf| leaf.name == name) {
                name = attribute(&path.iter().map(|part| part.name.1.as_str()).collect::<Vec<_>>().join("-"));
            }
            if !found.leaves.iter().any(|leaf| leaf.name == name) {
                found.leaves.push(Leaf { name, path: path.clone(), required });
            }
        } else if part.repeated && !part.parts.is_empty() {
            found.lists.push(writer.place(path));
        } else if !part.parts.is_empty() && path.len() < DEPTH {
            nested.push((part, required));
        }
        path.pop();
    }
    for (part, required) in nested {
        path.push(part);
        leaves(part, path, required, writer, found);
        path.pop();
    }
}

impl<'d> Writer<'d> {
    fn name(&self, part: &Part) -> String {
        match self.prefixes.get(part.name.0.as_str()) {
            Some(prefix) => format!("{prefix}:{}", part.name.1),
            None => part.name.1.clone(),
        }
    }

    fn place(&self, path: &[&Part]) -> String {
        path.iter().map(|part| self.name(part)).collect::<Vec<_>>().join("/")
    }

    fn head(&mut self, description: &Description) {
        let base = description.services.iter().find_map(|service| base(&service.address));
        let out = &mut self.out;
        out.push_str("# A starting file, made from a WSDL by `chartgate target import`. What is not certain is a comment: read it all, take\n");
        out.push_str("# what fits, and record cases for it (`chartgate target record`). To the [target] of a configuration belong\n#\n");
        out.push_str("#   [target.settings.http]\n");
        let _ = writeln!(out, "#   url = {}", quoted(base.as_deref().unwrap_or("https://ehr.hosp.example")));
        out.push_str("#   allow_networks = [\"10.20.0.0/16\"]        # where the target has a private address\n");
        out.push_str("#   [target.settings.http.auth]               # or [target.settings.services.NAME.auth], or a username_token there\n");
        out.push_str(
            "#   type = \"basic\"\n#   user = \"chartgate\"\n#   password = { file = \"/run/secrets/ehr\" }\n\n",
        );
        out.push_str("kind = \"soap\"\nspi = \"1\"\n# zone = \"America/New_York\"            # the target's own, where it counts days\n");
        let all: Vec<String> =
            self.prefixes.iter().map(|(namespace, prefix)| format!("{prefix} = {}", quoted(namespace))).collect();
        let _ = writeln!(out, "namespaces = {{ {} }}\n", all.join(", "));
        out.push_str("[http]\n\n");
        for service in &description.services {
            let _ = writeln!(out, "[services.{}]", key(&service.name));
            let path = Url::parse(&service.address).map(|url| url.path().trim_start_matches('/').to_owned());
            let _ = writeln!(out, "path = {}\nversion = \"{}\"\n", quoted(&path.unwrap_or_default()), service.version);
        }
    }

    /// One question to each service that has one.
    fn checks(&mut self, description: &'d Description) {
        let mut any = false;
        for service in &description.services {
            let reads = service.operations.iter().filter(|operation| begins(&operation.name, &READS));
            let Some(read) = reads.min_by_key(|operation| operation.input.parts.len()) else { continue };
            any = true;
            self.out.push_str("# It must change nothing and succeed where the target is there and lets us in: fill in what it asks for.\n");
            self.out.push_str("[[check]]\n");
            let body = self.body(&read.input, &|_| None);
            self.request(service, read, &body, None);
        }
        if let (false, Some((service, first))) = (any, first(description)) {
            self.out.push_str("# No operation looks as if it only read. Put one here that changes nothing: this one is only the first.\n");
            self.out.push_str("[[check]]\n");
            let body = self.body(&first.input, &|_| None);
            self.request(service, first, &body, None);
        }
    }

    fn errors(&mut self, description: &Description) {
        self.out.push_str("# ---- what refusals mean ------------------------------------------------------------------\n\n[errors]\n");
        let mut faults: Vec<(&'static str, &Part)> = Vec::new();
        for service in &description.services {
            for fault in service.operations.iter().flat_map(|operation| &operation.faults) {
                if !faults.iter().any(|(_, known)| known.name == fault.name) {
                    faults.push((service.version, fault));
                }
            }
        }
        let at = |words: &[&str]| {
            let mut places = Vec::new();
            for (version, fault) in &faults {
                let detail = if *version == "soap_1_1" { "detail" } else { "soap:Detail" };
                let leaf =
                    fault.parts.iter().find(|part| words.iter().any(|word| part.name.1.eq_ignore_ascii_case(word)));
                places.extend(leaf.map(|leaf| quoted(&format!("{detail}/{}/{}", self.name(fault), self.name(leaf)))));
            }
            places
        };
        let codes = at(&["code", "errorCode", "faultCode", "reasonCode"]);
        let fields = at(&["field", "fieldName", "element", "attribute"]);
        if !codes.is_empty() {
            let _ = writeln!(self.out, "code_at = [{}]", codes.join(", "));
        }
        if let Some(field) = fields.first() {
            let _ = writeln!(self.out, "field_at = {field}");
        }
        self.out.push_str("# One rule for each code that the vendor's manual lists:\n# [[errors.rules]]\n# code = [\"…\"]\n# class = \"AlreadyExists\"\n\n");
    }

    fn kind(&mut self, description: &'d Description, found: &Found<'d>, used: &mut BTreeSet<*const Operation>) {
        let name = key(&found.name);
        let of = role(&found.name);
        let _ = writeln!(self.out, "# ---- {} {:-<80}\n\n[kinds.{name}]\nrole = \"{of}\"", found.name, "");
        self.out.push_str("# Which attributes identify a record for ever; each needs a search of its own:\n# natural_keys = [[\"…\"]]\n\n");
        let _ = writeln!(self.out, "[kinds.{name}.record]");
        match found.id {
            Some(id) => {
                let _ = writeln!(self.out, "id = {}", quoted(&self.name(id)));
            }
            None => {
                let first = found.leaves.first().map(|leaf| self.place(&leaf.path)).unwrap_or_default();
                let _ =
                    writeln!(self.out, "# No element looks like an id: say where it stands.\nid = {}", quoted(&first));
            }
        }
        self.out.push_str("# state = [{ when = { at = \"…\", equals = \"true\" }, is = \"enabled\" }]\n\n");
        let _ = writeln!(self.out, "[kinds.{name}.attributes]");
        for leaf in &found.leaves {
            let line = self.attribute(leaf);
            self.out.push_str(&line);
        }
        for list in &found.lists {
            let _ =
                writeln!(self.out, "# … = {{ at = {} }}     # repeats: pick one, as in {list}[…='…']/…", quoted(list));
        }
        self.out.push('\n');
        let service = description.services.iter().find(|service| service.name == found.service);
        let Some(service) = service else { return };
        used.insert(found.get);
        let _ = writeln!(self.out, "[kinds.{name}.get]");
        let id =
            found.get.input.parts.iter().find(|part| part.is_leaf() && is_id(&part.name.1)).map(std::ptr::from_ref);
        let body =
            self.body(&found.get.input, &|part| (Some(std::ptr::from_ref(part)) == id).then(|| "{id}".to_owned()));
        self.request(service, found.get, &body, Some(found.record));
        for service in &description.services {
            for operation in &service.operations {
                let takes = operation.input.parts.iter().find(|part| part.of.is_some() && part.of == found.record.of);
                let Some(record) = takes else { continue };
                if begins(&operation.name, &CHANGES) && used.insert(operation) {
                    let _ = writeln!(self.out, "[[kinds.{name}.update]]\n[kinds.{name}.update.request]");
                    let body = self.record_body(operation, record, found, "{id}");
                    self.request(service, operation, &body, None);
                } else if begins(&operation.name, &MAKES) && used.insert(operation) {
                    let body = self.record_body(operation, record, found, "");
                    let before = self.out.len();
                    let _ = writeln!(self.out, "[kinds.{name}.create]");
                    let id = operation.output.parts.iter().find(|part| part.is_leaf() && is_id(&part.name.1));
                    let id = id.map(|id| self.name(id)).unwrap_or_default();
                    let _ = writeln!(self.out, "id = {}\n[kinds.{name}.create.request]", quoted(&id));
                    self.request(service, operation, &body, None);
                    let made = self.out.split_off(before);
                    self.out.push_str(
                        "# Makes a record: to be taken when natural_keys and a search for each of them are written.\n",
                    );
                    self.out.push_str(&commented(made.trim_end()));
                    self.out.push('\n');
                }
            }
        }
    }

    fn attribute(&self, leaf: &Leaf<'_>) -> String {
        let Some(last) = leaf.path.last() else { return String::new() };
        let mut parts = vec![format!("at = {}", quoted(&self.place(&leaf.path)))];
        let ty = match last.simple.as_str() {
            "boolean" => Some("boolean"),
            "int" | "integer" | "long" | "short" | "positiveInteger" | "nonNegativeInteger" => Some("integer"),
            "dateTime" => Some("timestamp"),
            _ => None,
        };
        parts.extend(ty.map(|ty| format!("type = \"{ty}\"")));
        let texts = ty.is_none();
        if last.repeated {
            parts.push("multi = true".to_owned());
        }
        if leaf.required && !last.repeated {
            parts.push("required = true".to_owned());
        }
        parts.extend(last.max_length.filter(|_| texts).map(|most| format!("max_length = {most}")));
        if texts && !last.allowed.is_empty() {
            let all: Vec<String> = last.allowed.iter().map(|text| quoted(text)).collect();
            parts.push(format!("allowed = [{}]", all.join(", ")));
        }
        format!("{} = {{ {} }}\n", key(&leaf.name), parts.join(", "))
    }

    /// The body of a request that carries a record's attributes.
    fn record_body(&self, operation: &Operation, record: &Part, found: &Found<'_>, id: &str) -> String {
        let mut places: BTreeMap<*const Part, String> = BTreeMap::new();
        // Both messages use one type, but each has its own tree of it: the leaves correspond by their paths.
        for leaf in &found.leaves {
            let mut at = Some(record);
            for step in &leaf.path {
                at = at.and_then(|part| part.parts.iter().find(|part| part.name == step.name));
            }
            let text = match leaf.path.last() {
                Some(last) if last.repeated => format!("each:attrs.{}", leaf.name),
                _ => format!("{{attrs.{}}}", leaf.name),
            };
            places.extend(at.map(|part| (std::ptr::from_ref(part), text)));
        }
        let own = operation.input.parts.iter().find(|part| part.is_leaf() && is_id(&part.name.1));
        places.extend(own.map(|part| (std::ptr::from_ref(part), id.to_owned())));
        self.body(&operation.input, &|part| places.get(&std::ptr::from_ref(part)).cloned())
    }

    /// A template; `filled` says what stands in a leaf. A leaf that nobody fills is there and empty where it must be there.
    fn body(&self, part: &Part, filled: &dyn Fn(&Part) -> Option<String>) -> String {
        let mut out = String::new();
        self.element(part, filled, 0, &mut out);
        out
    }

    fn element(&self, part: &Part, filled: &dyn Fn(&Part) -> Option<String>, depth: usize, out: &mut String) -> bool {
        let name = self.name(part);
        let indent = "  ".repeat(depth);
        if part.parts.is_empty() {
            let text = filled(part);
            match text.as_deref() {
                Some(text) if text.starts_with("each:") => {
                    let list = text.trim_start_matches("each:");
                    let _ = writeln!(out, "{indent}<{name} t:each=\"{list}\">{{item}}</{name}>");
                }
                Some(text) if !text.is_empty() => {
                    let _ = writeln!(out, "{indent}<{name}>{text}</{name}>");
                }
                _ if part.optional => return false,
                _ => {
                    let _ = writeln!(out, "{indent}<{name}/>");
                }
            }
            return text.is_some_and(|text| !text.is_empty());
        }
        let mut inside = String::new();
        let mut any = false;
        for child in &part.parts {
            any |= self.element(child, filled, depth + 1, &mut inside);
        }
        if part.optional && !any {
            return false;
        }
        let _ = write!(out, "{indent}<{name}>\n{inside}{indent}</{name}>\n");
        any
    }

    fn request(&mut self, service: &Service, operation: &Operation, body: &str, record: Option<&Part>) {
        let answer = self.name(&operation.output);
        let _ = writeln!(self.out, "service = {}", quoted(&service.name));
        if let Some(action) = &operation.action {
            let _ = writeln!(self.out, "action = {}", quoted(action));
        }
        let _ = writeln!(self.out, "answer = {}", quoted(&answer));
        if let Some(record) = record {
            let at = self.name(record);
            let _ = writeln!(self.out, "record_at = {}", quoted(&at));
        }
        let _ = writeln!(self.out, "body = '''\n{body}'''\n");
    }

    /// Operations that nobody can tell the use of: requests, as comments.
    fn rest(&mut self, description: &'d Description, used: &BTreeSet<*const Operation>) {
        self.out.push_str(
            "# ---- what else the target can do ------------------------------------------------------------\n#\n",
        );
        self.out.push_str("# Requests for the places that they belong to: list, find, states, entitlements, effective, revoke_sessions.\n\n");
        for service in &description.services {
            for operation in service.operations.iter().filter(|one| !used.contains(&std::ptr::from_ref(*one))) {
                let before = self.out.len();
                let body = self.body(&operation.input, &|part| is_id(&part.name.1).then(|| "{id}".to_owned()));
                self.request(service, operation, &body, None);
                let made = self.out.split_off(before);
                let _ = writeln!(self.out, "# {}:", plain(&operation.name));
                self.out.push_str(&commented(made.trim_end()));
                self.out.push('\n');
            }
        }
    }
}

fn first(description: &Description) -> Option<(&Service, &Operation)> {
    description.services.iter().find_map(|service| Some((service, service.operations.first()?)))
}

/// Scheme, host and port of an address.
fn base(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let mut base = format!("{}://{}", url.scheme(), url.host_str()?);
    if let Some(port) = url.port() {
        let _ = write!(base, ":{port}");
    }
    Some(base)
}
