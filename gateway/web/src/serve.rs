//! Opening the door, and what happens to each request that comes through it.

use crate::body;
use crate::caller::{self, Allowance};
use crate::error::Error;
use crate::ops::health::Pulse;
use crate::ops::{self, Metrics};
use crate::options::{Limits, Options};
use crate::place::{self, Place};
use crate::scim::{Visit, bulk, catalogue, cursor::Seal, discovery, list, resources};
use actix_web::dev::ServerHandle;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::FutureExt;
use gateway_domain::Source;
use gateway_engine::Engine;
use scim::ScimError;
use socket2::SockRef;
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What all requests share.
pub(crate) struct House {
    pub engine: Engine,
    pub limits: Limits,
    pub base: Option<String>,
    pub seal: Seal,
    pub allowance: Allowance,
    pub metrics: Metrics,
    pub pulse: Pulse,
    numbers: Numbers,
}

/// Serves until told to stop. The listener's socket is open when this returns.
///
/// # Errors
/// When the socket cannot be used, or `tls` cannot be set up.
pub fn serve(options: Options, engine: Engine) -> io::Result<Running> {
    let Options { listener, tls, public_url, workers, limits, registry } = options;
    let addr = listener.local_addr()?;
    // Accepted connections take this over from the listener: who does not read what we send is cut off.
    SockRef::from(&listener).set_tcp_user_timeout(Some(limits.unread))?;
    listener.set_nonblocking(true)?;
    let workers = if workers == 0 { std::thread::available_parallelism()?.get() } else { workers };
    let seal = Seal::new(&engine.store().server_key()).map_err(|_| io::Error::other("no key for cursors"))?;
    let house = Arc::new(House {
        base: public_url.map(|url| base_of(&url)),
        seal,
        allowance: Allowance::default(),
        metrics: Metrics::new(registry),
        pulse: Pulse::default(),
        numbers: Numbers::new()?,
        engine,
        limits: limits.clone(),
    });
    let server = HttpServer::new(move || {
        let house = Arc::clone(&house);
        App::new().default_service(web::to(move |http: HttpRequest, payload: web::Payload| {
            let house = Arc::clone(&house);
            async move { receive(&house, &http, payload).await }
        }))
    })
    .workers(workers)
    .keep_alive(limits.idle)
    .client_request_timeout(limits.head)
    .client_disconnect_timeout(Duration::from_secs(1))
    .max_connections((limits.connections / workers).max(1))
    .shutdown_timeout(limits.stop.as_secs())
    .disable_signals();
    let server = match tls {
        None => server.listen(listener)?,
        Some(certificate) => server.listen_rustls_0_23(listener, certificate.config()?)?,
    }
    .run();
    let handle = server.handle();
    Ok(Running { handle, addr, task: tokio::spawn(server) })
}

/// An open door.
pub struct Running {
    handle: ServerHandle,
    addr: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more connections, waits for running requests (at most [`Limits::stop`]) and closes.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::error!(%error, "The door did not close in order.");
        }
    }
}

/// One request, from its head to its answer. Nothing gets past here: not an error, not a panic.
async fn receive(house: &House, http: &HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let started = Instant::now();
    let number = house.numbers.next();
    let mut trace = Trace { pattern: "none", resource: None, source: None };
    let outcome = AssertUnwindSafe(route(house, http, &mut payload, &mut trace)).catch_unwind().await;
    let mut answer = match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => error.respond(),
        Err(_) => {
            // What it panicked with may hold a person's data; the panic hook says where it was.
            tracing::error!(request = number, route = trace.pattern, "A request's handler panicked.");
            Error::internal().respond()
        }
    };
    answer.headers_mut().insert(HeaderName::from_static("x-request-id"), house.numbers.header(number));
    if http.headers().contains_key(header::TRANSFER_ENCODING) {
        answer = body::hold(answer, payload);
    }
    let (method, status, took) = (method_name(http.method()), answer.status().as_u16(), started.elapsed());
    house.metrics.request(method, &trace, status, took);
    tracing::info!(
        target: "chartgate::access",
        method,
        route = trace.pattern,
        resource = trace.resource.as_deref(),
        status,
        micros = took.as_micros() as u64,
        source = trace.source.as_ref().map(|source| source.name.as_str()),
        request = number,
    );
    answer
}

/// What is told about a request afterwards.
pub(crate) struct Trace {
    pub pattern: &'static str,
    pub resource: Option<String>,
    pub source: Option<Arc<Source>>,
}

async fn route(
    house: &House,
    http: &HttpRequest,
    payload: &mut web::Payload,
    trace: &mut Trace,
) -> Result<HttpResponse, Error> {
    let segments = place::segments(http.path()).ok_or_else(nowhere)?;
    let path: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
    let ["scim", "v2", path @ ..] = path.as_slice() else {
        let place = place::find_open(&path).ok_or_else(nowhere)?;
        trace.pattern = place.route().pattern;
        return unguarded(house, &place, http.method()).await;
    };
    trace.pattern = "/scim/v2";
    let caller = caller::identify(http.headers(), &house.engine).await?;
    trace.source = Some(Arc::clone(&caller.source));
    house.allowance.take(&caller.source)?;
    let place = {
        let policy = house.engine.policy();
        place::find(path, house.engine.types(), &caller.source, &policy).ok_or_else(nowhere)?
    };
    trace.pattern = place.route().pattern;
    trace.resource = place.resource_type().map(|ty| ty.name.clone());
    let mut visit = Visit { house, http, caller: &caller, payload };
    guarded(&mut visit, place).await
}

/// Places that anybody may see: they hold nothing about a person.
async fn unguarded(house: &House, place: &Place, method: &Method) -> Result<HttpResponse, Error> {
    if *method != Method::GET && *method != Method::HEAD {
        return Err(Error::not_allowed(place.route().methods));
    }
    match place {
        Place::Live => Ok(ops::health::live()),
        Place::Ready => Ok(ops::health::ready(&house.pulse, &house.engine).await),
        Place::Targets => Ok(ops::health::targets(&house.pulse, &house.engine).await),
        Place::Metrics => Ok(ops::exposition(&house.metrics, &house.pulse, &house.engine).await),
        _ => Err(nowhere()),
    }
}

/// SCIM. HEAD is GET whose body the server leaves out.
async fn guarded(visit: &mut Visit<'_>, place: Place) -> Result<HttpResponse, Error> {
    let method = Verb::of(visit.http.method());
    match (&place, method) {
        (Place::Root, Verb::Get) => list::list_all(visit).await,
        (Place::RootSearch, Verb::Post) => list::search_all(visit).await,
        (Place::Config, Verb::Get) => discovery::config(visit),
        (Place::ResourceTypes, Verb::Get) => discovery::resource_types(visit),
        (Place::ResourceType(name), Verb::Get) => discovery::resource_type(visit, name),
        (Place::Schemas, Verb::Get) => discovery::schemas(visit),
        (Place::Schema(urn), Verb::Get) => discovery::schema(visit, urn),
        (Place::Me, _) => Err(me()),
        (Place::Bulk, Verb::Post) => bulk::run(visit).await,
        (Place::List(ty), Verb::Get) => list::list(visit, ty).await,
        (Place::List(ty), Verb::Post) => resources::create(visit, ty).await,
        (Place::Search(ty), Verb::Post) => list::search(visit, ty).await,
        (Place::One(ty, id), Verb::Get) => resources::read(visit, ty, id).await,
        (Place::One(ty, id), Verb::Put) => resources::replace(visit, ty, id).await,
        (Place::One(ty, id), Verb::Patch) => resources::patch(visit, ty, id).await,
        (Place::One(ty, id), Verb::Delete) => resources::delete(visit, ty, id).await,
        (Place::Shelf(shelf), Verb::Get) => catalogue::list(visit, shelf).await,
        (Place::ShelfSearch(shelf), Verb::Post) => catalogue::search(visit, shelf).await,
        (Place::Item(shelf, id), Verb::Get) => catalogue::read(visit, shelf, id).await,
        (place, _) => Err(Error::not_allowed(place.route().methods)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Post,
            Method::PUT => Verb::Put,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ => Verb::Other,
        }
    }
}

/// A method's name for logs and metrics, where a made-up method must not become a made-up label.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn nowhere() -> Error {
    ScimError::not_found(
        "There is no such endpoint. SCIM is at /scim/v2, and /scim/v2/ResourceTypes lists what it has.",
    )
    .into()
}

/// RFC 7644, section 3.11: a source is no person, so there is nobody to be.
fn me() -> Error {
    ScimError::not_implemented("A source's token stands for no user. Ask for a user by id.").into()
}

/// `https://scim.hosp.example`, with or without a slash or SCIM's own path at the end, as the address of SCIM.
fn base_of(url: &str) -> String {
    let url = url.trim_end_matches('/');
    format!("{}{}", url.strip_suffix(place::SCIM).unwrap_or(url), place::SCIM)
}

/// Numbers for requests: unique in this process, and hardly the same in two.
struct Numbers {
    process: u64,
    next: AtomicU64,
}

impl Numbers {
    fn new() -> io::Result<Self> {
        let mut random = [0; 4];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
        Ok(Self { process: u64::from(u32::from_be_bytes(random)) << 32, next: AtomicU64::new(1) })
    }

    fn next(&self) -> u64 {
        self.process + self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn header(&self, number: u64) -> HeaderValue {
        // Digits are always a header's value; the empty one is never reached.
        HeaderValue::from_str(&number.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::base_of;

    #[test]
    fn the_public_address_is_understood_however_it_ends() {
        for url in ["https://scim.hosp.example", "https://scim.hosp.example/", "https://scim.hosp.example/scim/v2/"] {
            assert_eq!(base_of(url), "https://scim.hosp.example/scim/v2");
        }
        assert_eq!(base_of("https://hosp.example/chartgate"), "https://hosp.example/chartgate/scim/v2");
    }
}
