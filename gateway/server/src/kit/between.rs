//! What stands between the connector and the target during a run: a proxy of the target's own protocol.

use connector_testkit::database_proxy::{DatabaseProxy, MYSQL, POSTGRES, Words};
use connector_testkit::{FaultProxy, HttpProxy, LdapProxy, StateProbe};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// An address at which nothing listens.
const NOWHERE: &str = "127.0.0.1:1";

/// A proxy, and the settings that lead there.
pub(super) struct Between {
    pub settings: Value,
    pub faults: Arc<dyn FaultProxy>,
    pub probe: Option<Arc<dyn StateProbe>>,
}

/// Puts the proxy of this kind's protocol between; `None` where nothing can be: over TLS, and for a file.
pub(super) async fn put(
    kind: &str,
    settings: &Value,
    pointer: &str,
    reads: &[String],
) -> Result<Option<Between>, String> {
    let Some(at) = authority(settings, pointer)? else { return Ok(None) };
    let there = resolved(&at).await?;
    let cannot = |error: std::io::Error| format!("the proxy before the target cannot be started: {error}");
    let mut settings = settings.clone();
    let (addr, faults, probe): (SocketAddr, Arc<dyn FaultProxy>, Option<Arc<dyn StateProbe>>) = match kind {
        "ldap" => {
            let proxy = LdapProxy::before(there).await.map_err(cannot)?;
            (proxy.addr(), proxy.clone(), Some(proxy))
        }
        "sql" => {
            let Some(words) = words(&settings) else { return Ok(None) };
            let proxy = Arc::new(DatabaseProxy::before(there, words).await.map_err(cannot)?);
            (proxy.addr(), proxy, None)
        }
        _ => {
            let reads = reads.to_vec();
            let proxy = HttpProxy::before(there, move |request| writes(request, &reads)).await.map_err(cannot)?;
            (proxy.addr(), proxy.clone(), Some(proxy))
        }
    };
    redirect(&mut settings, pointer, &addr.to_string())?;
    Ok(Some(Between { settings, faults, probe }))
}

fn words(settings: &Value) -> Option<Words> {
    match settings.get("engine").and_then(Value::as_str)? {
        "postgres" => Some(POSTGRES),
        "mysql" => Some(MYSQL),
        _ => None,
    }
}

/// A request writes unless its method is one that reads, or it holds one of these texts.
fn writes(request: &[u8], reads: &[String]) -> bool {
    let holds = |text: &String| {
        let text = text.as_bytes();
        !text.is_empty() && request.windows(text.len()).any(|window| window == text)
    };
    let safe = ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| request.starts_with(method.as_bytes()));
    !safe && !reads.iter().any(holds)
}

async fn resolved(at: &str) -> Result<SocketAddr, String> {
    let mut found = tokio::net::lookup_host(at).await.map_err(|error| format!("{at}: {error}"))?;
    found.next().ok_or_else(|| format!("{at} has no address"))
}

/// `host:port` of the address at a pointer; `None` where it is reached over TLS or is a file.
fn authority(settings: &Value, pointer: &str) -> Result<Option<String>, String> {
    let place = settings.pointer(pointer).ok_or_else(|| format!("the settings have nothing at {pointer:?}"))?;
    match place {
        Value::String(url) => {
            let Some((scheme, rest)) = url.split_once("://") else { return Ok(None) };
            let port = match scheme {
                "http" => 80,
                "ldap" => 389,
                _ => return Ok(None),
            };
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let stated = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            Ok(Some(if stated { host.to_owned() } else { format!("{host}:{port}") }))
        }
        Value::Object(members) => {
            let host = members.get("host").and_then(Value::as_str);
            let port = members.get("port").and_then(Value::as_u64);
            let plain = members.get("allow_plaintext").and_then(Value::as_bool).unwrap_or(false);
            Ok(host.zip(port).filter(|_| plain).map(|(host, port)| format!("{host}:{port}")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(format!("what stands at {pointer:?} is no address"))
        }
    }
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
        assert_eq!(authority(&settings, "/http/url").unwrap().as_deref(), Some("ehr.hosp.example:80"));
        redirect(&mut settings, "/http/url", "127.0.0.1:7").unwrap();
        assert_eq!(settings["http"]["url"], "http://127.0.0.1:7/api/v1?x=1");

        let mut database = json!({ "host": "db.hosp.example", "port": 5432, "allow_plaintext": true });
        redirect(&mut database, "", "127.0.0.1:7").unwrap();
        assert_eq!(database, json!({ "host": "127.0.0.1", "port": 7, "allow_plaintext": true }));
    }

    #[test]
    fn nothing_can_stand_between_where_tls_is_spoken() {
        for settings in [json!({ "url": "https://x" }), json!({ "url": "ldaps://x" })] {
            assert_eq!(authority(&settings, "/url").unwrap(), None);
        }
        assert_eq!(authority(&json!({ "host": "x", "port": 1 }), "").unwrap(), None);
        assert!(authority(&json!({}), "/url").is_err());
    }

    #[test]
    fn a_request_that_posts_to_read_is_no_write() {
        let reads = ["ViewUser".to_owned(), "/oauth2/token".to_owned()];
        assert!(!writes(b"GET /x HTTP/1.1\r\n\r\n", &reads));
        assert!(!writes(b"POST /oauth2/token HTTP/1.1\r\n\r\n", &reads));
        assert!(!writes(b"POST /core HTTP/1.1\r\n\r\n<ViewUser/>", &reads));
        assert!(writes(b"POST /core HTTP/1.1\r\n\r\n<CreateUser/>", &reads));
    }
}
