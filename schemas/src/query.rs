//! Queries: the parameters of a URL, or the body of `/.search`, read to one thing (RFC 7644, sections 3.4.2 and 3.4.3;
//! RFC 9865, section 2).

use crate::aliases::Aliases;
use crate::dialect::Dialect;
use crate::error::{ScimError, ScimType, bad_filter, invalid, syntax};
use crate::filter::{Filter, qualify};
use crate::patch_parse::take;
use crate::path::AttrPath;
use crate::project::Projection;
use crate::types::ResourceType;
use serde_json::Value;

/// The URI of the body of `/.search`.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Which resources. Checked against the type; at the root, where there is no one type, unchecked.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort_by: Option<AttrPath>,
    /// Whether the order is turned round.
    pub descending: bool,
    /// From where.
    pub page: PageBy,
    /// How many at most; `None` leaves it to the service. 0 asks for the total only.
    pub count: Option<u32>,
    /// Which attributes of each.
    pub projection: Projection,
}

/// From where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageBy {
    /// By position.
    Index {
        /// The position of the first one, from 1.
        start: u64,
    },
    /// After a cursor; `None` asks for the first page, and for cursors from there on.
    Cursor(Option<String>),
}

/// The parameters as they came.
#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start: Option<Number>,
    count: Option<Number>,
    cursor: Option<String>,
    attributes: Option<Vec<String>>,
    excluded: Option<Vec<String>>,
}

type Number = Result<i64, ()>;

impl ListQuery {
    /// Reads the decoded parameters of a URL. Unknown ones are ignored. At the root `ty` is `None`.
    ///
    /// # Errors
    /// 400 `invalidFilter`; 403 `sensitive` for a filter on a password; 400 `invalidCursor` for a cursor of other characters
    /// than ours have; `invalidCount` for a count that is no integer beside a cursor, and `invalidValue` for what else does not fit.
    pub fn from_query(
        pairs: &[(String, String)],
        ty: Option<&ResourceType>,
        dialect: Dialect,
    ) -> Result<Self, ScimError> {
        Self::from_query_aliased(pairs, ty, dialect, Aliases::NONE)
    }

    /// The same for a source that has its own names for our extensions.
    ///
    /// # Errors
    /// As [`ListQuery::from_query`].
    pub fn from_query_aliased(
        pairs: &[(String, String)],
        ty: Option<&ResourceType>,
        dialect: Dialect,
        aliases: &Aliases,
    ) -> Result<Self, ScimError> {
        let mut raw = Raw::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs {
            const KNOWN: [&str; 8] =
                ["filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes"];
            let Some(known) = KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else { continue };
            if seen.contains(&known) {
                return Err(invalid(format!("The parameter `{known}` stands there twice.")));
            }
            seen.push(known);
            let text = || Some(value.clone());
            match known {
                "filter" => raw.filter = text(),
                "sortBy" => raw.sort_by = text(),
                "sortOrder" => raw.sort_order = text(),
                "startIndex" => raw.start = number(value),
                "count" => raw.count = number(value),
                "cursor" => raw.cursor = text(),
                "attributes" => raw.attributes = Some(value.split(',').map(str::to_owned).collect()),
                _ => raw.excluded = Some(value.split(',').map(str::to_owned).collect()),
            }
        }
        raw.read(ty, dialect, aliases)
    }

    /// Reads the body of `/.search`, which has the same members.
    ///
    /// # Errors
    /// As [`ListQuery::from_query`], and 400 `invalidSyntax` where it is no such message.
    pub fn from_search_request(value: Value, ty: Option<&ResourceType>, dialect: Dialect) -> Result<Self, ScimError> {
        Self::from_search_request_aliased(value, ty, dialect, Aliases::NONE)
    }

    /// The same for a source that has its own names for our extensions.
    ///
    /// # Errors
    /// As [`ListQuery::from_search_request`].
    pub fn from_search_request_aliased(
        value: Value,
        ty: Option<&ResourceType>,
        dialect: Dialect,
        aliases: &Aliases,
    ) -> Result<Self, ScimError> {
        let Value::Object(mut body) = value else { return Err(syntax("The body must be an object.")) };
        let named = match take(&mut body, "schemas") {
            Some(Value::Array(uris)) => {
                uris.iter().filter_map(Value::as_str).any(|uri| uri.eq_ignore_ascii_case(SEARCH_REQUEST))
            }
            _ => false,
        };
        if !named && !dialect.is_tolerant() {
            return Err(syntax(format!("`schemas` must name {SEARCH_REQUEST}.")));
        }
        let mut text = |name: &str| match take(&mut body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(syntax(format!("`{name}` must be a text."))),
        };
        let mut raw = Raw {
            filter: text("filter")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            cursor: text("cursor")?,
            ..Raw::default()
        };
        let mut integer = |name: &str| match take(&mut body, name) {
            None | Some(Value::Null) => None,
            Some(Value::Number(value)) => Some(value.as_i64().ok_or(())),
            Some(Value::String(text)) if dialect.is_tolerant() => number(&text),
            Some(_) => Some(Err(())),
        };
        (raw.start, raw.count) = (integer("startIndex"), integer("count"));
        let mut names = |name: &str| match take(&mut body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) => {
                let list: Option<Vec<String>> = list.into_iter().map(|one| one.as_str().map(str::to_owned)).collect();
                list.map(Some).ok_or_else(|| syntax(format!("`{name}` must be a list of texts.")))
            }
            Some(Value::String(list)) if dialect.is_tolerant() => {
                Ok(Some(list.split(',').map(str::to_owned).collect()))
            }
            Some(_) => Err(syntax(format!("`{name}` must be a list of texts."))),
        };
        (raw.attributes, raw.excluded) = (names("attributes")?, names("excludedAttributes")?);
        raw.read(ty, dialect, aliases)
    }
}

fn number(text: &str) -> Option<Number> {
    Some(text.trim().parse().map_err(|_| ()))
}

impl Raw {
    fn read(self, ty: Option<&ResourceType>, dialect: Dialect, aliases: &Aliases) -> Result<ListQuery, ScimError> {
        let filter = match self.filter {
            Some(text) if text.trim().is_empty() && dialect.is_tolerant() => None,
            Some(text) => Some(filter(&text, ty, dialect, aliases)?),
            None => None,
        };
        let descending = match self.sort_order.as_deref() {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => return Err(invalid("`sortOrder` is ascending or descending.")),
        };
        let sort_by = match self.sort_by {
            Some(text) if !text.is_empty() => Some(sort_by(&text, ty, dialect, aliases)?),
            _ => None,
        };
        let count = match self.count {
            None => None,
            Some(Ok(count)) => Some(u32::try_from(count.max(0)).unwrap_or(u32::MAX)),
            Some(Err(())) => {
                let keyword = if self.cursor.is_some() { ScimType::InvalidCount } else { ScimType::InvalidValue };
                return Err(ScimError::bad_request(keyword, "`count` must be an integer."));
            }
        };
        let page = match (self.cursor, self.start) {
            (Some(_), Some(_)) if !dialect.is_tolerant() => {
                return Err(invalid("A request pages by `startIndex` or by `cursor`."));
            }
            (Some(cursor), _) => PageBy::Cursor(checked(cursor)?),
            (None, None) => PageBy::Index { start: 1 },
            (None, Some(Ok(start))) => PageBy::Index { start: u64::try_from(start.max(1)).unwrap_or(1) },
            (None, Some(Err(()))) => return Err(invalid("`startIndex` must be an integer.")),
        };
        let projection = Projection::of(self.attributes, self.excluded, ty, aliases)?;
        Ok(ListQuery { filter, sort_by, descending, page, count, projection })
    }
}

fn filter(text: &str, ty: Option<&ResourceType>, dialect: Dialect, aliases: &Aliases) -> Result<Filter, ScimError> {
    let mut filter = Filter::parse(text)?;
    if let Some(ty) = ty {
        filter.normalise(ty, dialect, aliases);
        filter.check(ty)?;
    } else if ["password"].into_iter().any(|name| filter.names(name)) {
        return Err(ScimError::new(
            403,
            Some(ScimType::Sensitive),
            "An attribute that is never returned cannot be filtered.",
        ));
    }
    Ok(filter)
}

fn sort_by(text: &str, ty: Option<&ResourceType>, dialect: Dialect, aliases: &Aliases) -> Result<AttrPath, ScimError> {
    let unknown = || invalid("`sortBy` names no attribute by which resources can be sorted.");
    let mut path = AttrPath::read(text.trim()).ok_or_else(unknown)?;
    let Some(ty) = ty else { return Ok(path) };
    qualify(&mut path, ty, dialect, aliases);
    let found = ty.resolve(&path).ok_or_else(unknown)?;
    let leaf = found.leaf();
    let comparable = leaf.sub.is_empty() || leaf.default_sub().is_some();
    match comparable && leaf.returned != crate::schema::Returned::Never {
        true => Ok(path),
        false => Err(unknown()),
    }
}

/// Cursors have unreserved characters only (RFC 9865, section 2). One message for every bad cursor (section 5.2).
fn checked(cursor: String) -> Result<Option<String>, ScimError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match cursor.len() <= 2_048 && cursor.bytes().all(unreserved) {
        true => Ok(Some(cursor)),
        false => Err(ScimError::bad_request(ScimType::InvalidCursor, "The cursor is not valid.")),
    }
}

impl ListQuery {
    /// The filter of a query at the root, for one of its types: in canonical words, or `None` where the type does not have
    /// what it names, so that nothing of that type matches.
    ///
    /// # Errors
    /// 403 `sensitive`, as for a query on one type.
    pub fn filter_for(
        &self,
        ty: &ResourceType,
        dialect: Dialect,
        aliases: &Aliases,
    ) -> Result<Option<Filter>, ScimError> {
        let Some(mut filter) = self.filter.clone() else { return Err(bad_filter("The query has no filter.")) };
        filter.normalise(ty, dialect, aliases);
        match filter.check(ty) {
            Ok(()) => Ok(Some(filter)),
            Err(error) if error.status == 403 => Err(error),
            Err(_) => Ok(None),
        }
    }
}
