//! What stands between the connector and the target during a run: a proxy of the target's own protocol.

use super::address::{self, Way};
use super::tls::{self, Manner};
use connector_testkit::database_proxy::{DatabaseProxy, MYSQL, POSTGRES, Words};
use connector_testkit::{FaultProxy, HttpProxy, LdapProxy, Names, StateProbe};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// A proxy, and the settings that lead there.
pub(super) struct Between {
    pub settings: Value,
    pub faults: Arc<dyn FaultProxy>,
    pub probe: Option<Arc<dyn StateProbe>>,
}

/// A proxy of some protocol: where it listens, the harm it does, and the writes it counts.
type Proxy = (SocketAddr, Arc<dyn FaultProxy>, Option<Arc<dyn StateProbe>>);

/// Puts the proxy of this kind's protocol between; an inner `Err` says why nothing can be put there.
///
/// A target over TLS is reached as its settings say, and the connector trusts a certificate made for the run.
pub(super) async fn put(
    kind: &str,
    settings: &Value,
    pointer: &str,
    reads: &[String],
    secrets: &BTreeMap<String, String>,
) -> Result<Result<Between, String>, String> {
    let mut settings = settings.clone();
    let (addr, faults, probe) = match address::way(&settings, pointer)? {
        Way::Closed(why) => return Ok(Err(why.to_owned())),
        Way::Plain(at) => match proxy(kind, &settings, address::resolved(&at).await?, None, reads).await? {
            Ok(proxy) => proxy,
            Err(why) => return Ok(Err(why)),
        },
        Way::Tls(at) => {
            let Some(manner) = Manner::of(kind) else {
                return Ok(Err(format!("nobody here knows where the settings of {kind} keep what they trust")));
            };
            if let Some(why) = manner.obstacle(&settings) {
                return Ok(Err(why));
            }
            let ends = tls::ends(manner, &mut settings, secrets, &at).await?;
            let names = Names { there: at.trim_end_matches(":443").to_owned(), here: ends.front.addr.to_string() };
            let front = ends.front.addr;
            match proxy(kind, &settings, ends.back, Some(names), reads).await? {
                Ok((addr, faults, probe)) => (front, ends.front.before(faults, addr), probe),
                Err(why) => return Ok(Err(why)),
            }
        }
    };
    address::redirect(&mut settings, pointer, &addr.to_string())?;
    Ok(Ok(Between { settings, faults, probe }))
}

async fn proxy(
    kind: &str,
    settings: &Value,
    there: SocketAddr,
    names: Option<Names>,
    reads: &[String],
) -> Result<Result<Proxy, String>, String> {
    let cannot = |error: std::io::Error| format!("the proxy before the target cannot be started: {error}");
    Ok(Ok(match kind {
        "ldap" => {
            let proxy = LdapProxy::before(there).await.map_err(cannot)?;
            (proxy.addr(), proxy.clone(), Some(proxy))
        }
        "sql" => {
            let Some(words) = words(settings) else {
                return Ok(Err("no proxy speaks the protocol of this database".to_owned()));
            };
            let proxy = Arc::new(DatabaseProxy::before(there, words).await.map_err(cannot)?);
            (proxy.addr(), proxy, None)
        }
        _ => {
            let reads = reads.to_vec();
            let writes = move |request: &[u8]| writes(request, &reads);
            let proxy = HttpProxy::between(there, names, writes).await.map_err(cannot)?;
            (proxy.addr(), proxy.clone(), Some(proxy))
        }
    }))
}

fn words(settings: &Value) -> Option<Words> {
    match settings.pointer("/database/engine").and_then(Value::as_str)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_posts_to_read_is_no_write() {
        let reads = ["ViewUser".to_owned(), "/oauth2/token".to_owned()];
        assert!(!writes(b"GET /x HTTP/1.1\r\n\r\n", &reads));
        assert!(!writes(b"POST /oauth2/token HTTP/1.1\r\n\r\n", &reads));
        assert!(!writes(b"POST /core HTTP/1.1\r\n\r\n<ViewUser/>", &reads));
        assert!(writes(b"POST /core HTTP/1.1\r\n\r\n<CreateUser/>", &reads));
    }
}
