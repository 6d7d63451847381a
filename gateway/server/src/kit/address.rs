//! The target's address among its settings: where it leads, and how it is made to lead elsewhere.

use serde_json::{Value, json};
use std::net::SocketAddr;

/// An address at which nothing listens.
const NOWHERE: &str = "127.0.0.1:1";

/// How the target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Over TCP, as `host:port`.
    Plain(String),
    /// The same over TLS from the first octet on.
    Tls(String),
    /// Not so that something could stand between, and why.
    Closed(&'static str),
}

/// How the address at a pointer is reached.
pub(super) fn way(settings: &Value, pointer: &str) -> Result<Way, String> {
    let place = settings.pointer(pointer).ok_or_else(|| format!("the settings have nothing at {pointer:?}"))?;
    if settings.pointer("/http/proxy").is_some_and(Value::is_object) {
        return Ok(Way::Closed("the target is reached through a proxy of its own (http.proxy)"));
    }
    match place {
        Value::String(url) => {
            let Some((scheme, rest)) = url.split_once("://") else {
                return Ok(Way::Closed("the target is a file: there is no network that could fail"));
            };
            let (tls, port) = match scheme {
                "http" => (false, 80),
                "https" => (true, 443),
                "ldap" if settings.get("starttls") == Some(&json!(true)) => {
                    return Ok(Way::Closed(
                        "StartTLS turns a connection into TLS where no proxy can follow: use ldaps",
                    ));
                }
                "ldap" => (false, 389),
                "ldaps" => (true, 636),
                _ => return Ok(Way::Closed("no proxy speaks the protocol of this address")),
            };
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let stated = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let at = if stated { host.to_owned() } else { format!("{host}:{port}") };
            Ok(if tls { Way::Tls(at) } else { Way::Plain(at) })
        }
        Value::Object(members) => {
            let host = members.get("host").and_then(Value::as_str);
            let usual = match members.get("engine").and_then(Value::as_str) {
                Some("postgres") => Some(5432),
                Some("mysql") => Some(3306),
                _ => None,
            };
            let port = members.get("port").and_then(Value::as_u64).or(usual);
            let plain = members.get("allow_plaintext").and_then(Value::as_bool).unwrap_or(false);
            if !plain {
                let why = "TLS begins inside the database's own protocol, where no proxy can follow: allow_plaintext = true \
                           on a test system lets one";
                return Ok(Way::Closed(why));
            }
            let at = host.zip(port).map(|(host, port)| Way::Plain(format!("{host}:{port}")));
            Ok(at.unwrap_or(Way::Closed("the address has no host and port")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(format!("what stands at {pointer:?} is no address"))
        }
    }
}

/// The first address of `host:port`.
pub(super) async fn resolved(at: &str) -> Result<SocketAddr, String> {
    let mut found = tokio::net::lookup_host(at).await.map_err(|error| format!("{at}: {error}"))?;
    found.next().ok_or_else(|| format!("{at} has no address"))
}

/// Puts another `host:port` into the address at a pointer, and leaves the rest of it as it is.
pub(super) fn redirect(settings: &mut Value, pointer: &str, to: &str) -> Result<(), String> {
    let nothing = || format!("the settings have no address at {pointer:?}");
    let place = settings.pointer_mut(pointer).ok_or_else(nothing)?;
    match place {
        Value::String(url) => {
            let (scheme, rest) = url.split_once("://").ok_or_else(nothing)?;
            let path = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or_default();
            *place = json!(format!("{scheme}://{to}{path}"));
        }
        Value::Object(members) => {
            let (host, port) = to.rsplit_once(':').ok_or_else(nothing)?;
            if !members.contains_key("host") {
                return Err(nothing());
            }
            members.insert("host".to_owned(), json!(host));
            members.insert("port".to_owned(), json!(port.parse::<u16>().map_err(|error| error.to_string())?));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return Err(nothing()),
    }
    Ok(())
}

/// Turns the address at a pointer into one at which there is nothing.
pub(super) fn nowhere(settings: &mut Value, pointer: &str) -> Result<(), String> {
    match settings.pointer_mut(pointer) {
        Some(Value::String(path)) if !path.contains("://") => {
            *path = "/nonexistent/target".to_owned();
            Ok(())
        }
        _ => redirect(settings, pointer, NOWHERE),
    }
}

/// Puts a value at a pointer; the tables on the way there must exist.
pub(super) fn point(settings: &mut Value, pointer: &str, value: Value) -> Result<(), String> {
    let (above, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let place = settings.pointer_mut(above).and_then(Value::as_object_mut);
    let members = place.ok_or_else(|| format!("the settings have no table at {above:?} for {name}"))?;
    members.insert(name.to_owned(), value);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_authority_of_an_address_is_replaced() {
        let mut settings = json!({ "http": { "url": "http://ehr.hosp.example/api/v1?x=1" } });
        assert_eq!(way(&settings, "/http/url").unwrap(), Way::Plain("ehr.hosp.example:80".into()));
        redirect(&mut settings, "/http/url", "127.0.0.1:7").unwrap();
        assert_eq!(settings["http"]["url"], "http://127.0.0.1:7/api/v1?x=1");

        let mut database = json!({ "host": "db.hosp.example", "port": 5432, "allow_plaintext": true });
        assert_eq!(way(&database, "").unwrap(), Way::Plain("db.hosp.example:5432".into()));
        let usual = json!({ "engine": "postgres", "host": "db", "allow_plaintext": true });
        assert_eq!(way(&usual, "").unwrap(), Way::Plain("db:5432".into()));
        redirect(&mut database, "", "127.0.0.1:7").unwrap();
        assert_eq!(database, json!({ "host": "127.0.0.1", "port": 7, "allow_plaintext": true }));
    }

    #[test]
    fn it_is_told_where_something_can_stand_between_and_where_not() {
        for (url, at) in [("https://x/y", "x:443"), ("ldaps://x", "x:636"), ("https://x:8443", "x:8443")] {
            assert_eq!(way(&json!({ "url": url }), "/url").unwrap(), Way::Tls(at.into()));
        }
        for closed in [
            json!({ "url": "ldap://x", "starttls": true }),
            json!({ "url": "/var/lib/target.db" }),
            json!({ "url": { "host": "x", "port": 1 } }),
            json!({ "url": "https://x", "http": { "proxy": { "url": "http://p" } } }),
        ] {
            assert!(matches!(way(&closed, "/url").unwrap(), Way::Closed(_)), "{closed}");
        }
        assert!(way(&json!({}), "/url").is_err());
    }
}
