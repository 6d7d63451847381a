//! The conformance kit over plugin processes: the model behind the Rust SDK, as a child and at a socket.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_plugin::{
    PluginKind,
    wire::{
        Applied, Apply, CallCx, Changed, Changes, Create, Done, Find, Latest, List, One, Plain, SetPassword, Ticket,
        Update,
    },
};
use connector_spi::{
    AccountState, Attrs, Class, ConnError, Connector, Created, Ctx, Effect, Host, HttpRequest, HttpResponse, Level,
    NativeId, Pending, Result, Secret, SecretRef, TicketState,
};
use connector_testkit::{Memory, Subject, TestHost, assert_required, memory::SECRET, run};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use support::ByHand;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

const ADDRESS: &str = "https://model.example";

/// The model as a service behind the gateway's door.
struct Model(Memory);

#[async_trait]
impl Host for Model {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        Err(ConnError::config("not asked here"))
    }
    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        let Some(op) = request.url.strip_prefix(ADDRESS) else {
            return Err(ConnError::config("a request would go to a host that the target does not list"));
        };
        let let_in = request.headers.iter().any(|(name, value)| name == "authorization" && value == SECRET);
        let outcome = if let_in { self.carry_out(&op[1..], &request.body).await } else { Err(ConnError::auth("no")) };
        let (status, body) = match outcome {
            Ok(result) => (200, serde_json::to_vec(&result).unwrap()),
            Err(error) => (500, serde_json::to_vec(&error).unwrap()),
        };
        Ok(HttpResponse { status, headers: Vec::new(), body })
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap()
}

fn tell<T: Serialize>(outcome: Result<T>) -> Result<Json> {
    outcome.map(|result| serde_json::to_value(result).unwrap())
}

fn ctx(cx: &CallCx<'_>) -> Ctx {
    let deadline = Instant::now() + Duration::from_millis(cx.deadline_ms);
    Ctx { attempt: cx.attempt, dry_run: cx.dry_run, ..Ctx::new(cx.op_id.as_ref(), deadline, TestHost::new()) }
}

impl Model {
    async fn carry_out(&self, op: &str, body: &[u8]) -> Result<Json> {
        let model = self.0.connector();
        match op {
            "check" => tell(model.check(&ctx(&read::<Plain<'_>>(body).cx)).await),
            "schema" => tell(model.schema(&ctx(&read::<Plain<'_>>(body).cx)).await),
            "get" => {
                let One { cx, kind, id } = read(body);
                tell(model.get(&ctx(&cx), &kind, &id).await)
            }
            "find" => {
                let Find { cx, kind, key } = read(body);
                tell(model.find(&ctx(&cx), &kind, &key).await)
            }
            "create" => {
                let Create { cx, kind, attrs, state, entitlements } = read(body);
                tell(model.create(&ctx(&cx), &kind, &attrs, state, &entitlements).await)
            }
            "update" => {
                let Update { cx, kind, id, change } = read(body);
                tell(model.update(&ctx(&cx), &kind, &id, &change).await)
            }
            "delete" => {
                let One { cx, kind, id } = read(body);
                tell(model.delete(&ctx(&cx), &kind, &id).await.map(|()| Done {}))
            }
            other => self.of_a_facet(model.as_ref(), other, body).await,
        }
    }

    async fn of_a_facet(&self, model: &dyn Connector, op: &str, body: &[u8]) -> Result<Json> {
        match op {
            "list" => {
                let List { cx, kind, cursor, size } = read(body);
                tell(model.lister().unwrap().list(&ctx(&cx), &kind, cursor.as_deref(), size).await)
            }
            "latest" => {
                let Latest { cx, kind } = read(body);
                tell(model.syncer().unwrap().latest(&ctx(&cx), &kind).await)
            }
            "changes" => {
                let Changes { cx, kind, token } = read(body);
                let changes = model.syncer().unwrap().changes(&ctx(&cx), &kind, &token).await;
                tell(changes.map(|(events, token)| Changed { events, token }))
            }
            "apply" => {
                let Apply { cx, ops } = read(body);
                let applied = model.batcher().unwrap().apply(&ctx(&cx), &ops).await;
                tell(Ok(applied.into_iter().map(Applied::from).collect::<Vec<_>>()))
            }
            "set_password" => {
                let SetPassword { cx, kind, id, password } = read(body);
                let password = Secret::new(password.into_owned());
                tell(model.passwords().unwrap().set_password(&ctx(&cx), &kind, &id, &password).await.map(|()| Done {}))
            }
            "discover" => tell(model.discoverer().unwrap().discover(&ctx(&read::<Plain<'_>>(body).cx)).await),
            "effective" => {
                let One { cx, kind, id } = read(body);
                tell(model.effect().unwrap().effective(&ctx(&cx), &kind, &id).await)
            }
            "revoke_sessions" => {
                let One { cx, kind, id } = read(body);
                tell(model.effect().unwrap().revoke_sessions(&ctx(&cx), &kind, &id).await.map(|()| Done {}))
            }
            other => Err(ConnError::unsupported(other)),
        }
    }
}

async fn subject(settings: &Json) -> Subject {
    let memory = Memory::new();
    let network: Arc<dyn Host> = Arc::new(Model(memory.clone()));
    let config = json!({"address": ADDRESS, "secret": {"env": "MODEL_SECRET"}, "max_calls": 0});
    let kind = Arc::new(PluginKind::greet(support::settings(settings)).await.unwrap());
    let of_the_model = memory.subject();
    let host = TestHost::with(of_the_model.secrets.clone(), Some(Arc::clone(&network)));
    Subject {
        wrong_host: Some(json!({"address": "https://elsewhere.example", "secret": {"env": "MODEL_SECRET"}})),
        wire: Some(Arc::new(ByHand { kind: Arc::clone(&kind), config: config.clone(), host })),
        kind,
        config,
        network: Some(network),
        ..of_the_model
    }
}

#[tokio::test]
async fn a_plugin_as_a_child_keeps_the_contract() {
    let subject = subject(&support::child("")).await;

    let report = run(&subject).await;

    println!("{report}");
    assert_required("plugin", &report);
}

/// The program at a socket in this folder; ended when dropped.
async fn served(room: &Path) -> (Child, PathBuf) {
    let socket = room.join("plugin.sock");
    let mut program = Command::new(support::PROGRAM);
    program.arg("--socket").arg(&socket).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let process = program.spawn().unwrap();
    while tokio::net::UnixStream::connect(&socket).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (process, socket)
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[tokio::test]
async fn a_plugin_at_a_socket_keeps_the_contract() {
    let room = tempfile::tempdir().unwrap();
    let (_process, socket) = served(room.path()).await;
    let subject = subject(&json!({"socket": socket, "uid": own_uid()})).await;

    let report = run(&subject).await;

    println!("{report}");
    assert_required("plugin", &report);
}

#[tokio::test]
async fn a_process_of_another_user_at_the_socket_is_told_nothing() {
    let room = tempfile::tempdir().unwrap();
    let (_process, socket) = served(room.path()).await;
    let settings = json!({"socket": socket, "uid": own_uid() + 1});

    let error = PluginKind::greet(support::settings(&settings)).await.err().unwrap();

    assert_eq!(error.class, Class::Config);
    assert!(error.message.contains("runs as user"), "{error}");
}

#[tokio::test]
async fn a_plugin_says_what_it_is() {
    let kind = PluginKind::greet(support::settings(&support::child(""))).await.unwrap();
    let greeting = kind.greeting();
    assert_eq!((greeting.name.as_str(), greeting.spi), ("far", (1, 0)));
    assert_eq!(greeting.sdk.as_ref().map(|sdk| sdk.name.as_str()), Some("chartgate-plugin"));
}

#[tokio::test]
async fn a_plugin_that_is_started_again_by_its_service_manager_is_dialled_again() {
    // given a connector over a socket
    let room = tempfile::tempdir().unwrap();
    let (mut process, socket) = served(room.path()).await;
    let memory = Memory::new();
    let network: Arc<dyn Host> = Arc::new(Model(memory.clone()));
    let host = TestHost::with(memory.subject().secrets, Some(network));
    let config = json!({"address": ADDRESS, "secret": {"env": "MODEL_SECRET"}});
    let settings = json!({"socket": socket, "uid": own_uid(), "config": config});
    let connector = support::open(settings, &host).await.unwrap();
    connector.check(&host.ctx()).await.unwrap();

    // when the process is killed, which leaves its socket behind
    process.kill().await.unwrap();
    // A call that is sent before the end is seen would be Unknown: it may have arrived.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let while_down = connector.check(&support::within(&host, 300)).await.unwrap_err();
    let (_again, _) = served(room.path()).await;
    let up_again = connector.check(&support::within(&host, 20_000)).await;

    // then the calls fail while it is gone, and work when it is back
    assert_eq!((while_down.class, while_down.effect), (Class::Transient, Effect::None), "{while_down}");
    assert!(up_again.is_ok(), "{up_again:?}");
}

/// A target that takes everything on, and says of a ticket what it is called.
struct Desk;

#[async_trait]
impl Host for Desk {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        Err(ConnError::config("not asked here"))
    }
    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        let told = match request.url.strip_prefix(ADDRESS) {
            Some("/create") => {
                let pending = Pending { ticket: "open".to_owned(), poll_after: Duration::from_millis(1_500) };
                tell(Ok(Created { pending: Some(pending), ..Created::new("") }))
            }
            Some("/ticket") => match read::<Ticket<'_>>(&request.body).ticket.as_ref() {
                "open" => tell(Ok(TicketState::Open)),
                "done" => tell(Ok(TicketState::Done { id: Some(NativeId::from("7")) })),
                "refused" => tell(Ok(TicketState::Refused(ConnError::invalid("no such unit")))),
                _ => Err(ConnError::not_found("nobody knows of it")),
            },
            _ => Err(ConnError::unsupported("a desk takes on and tells")),
        };
        let (status, body) = match told {
            Ok(result) => (200, serde_json::to_vec(&result).unwrap()),
            Err(error) => (500, serde_json::to_vec(&error).unwrap()),
        };
        Ok(HttpResponse { status, headers: Vec::new(), body })
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

#[tokio::test]
async fn what_a_plugin_s_target_takes_on_is_followed_by_its_ticket() {
    let host = TestHost::with(Memory::new().subject().secrets, Some(Arc::new(Desk)));
    let config = json!({"address": ADDRESS, "secret": {"env": "MODEL_SECRET"}});
    let mut settings = support::child("");
    settings["config"] = config;
    let connector = support::open(settings, &host).await.unwrap();
    let kind = "account".into();
    let created = connector.create(&host.ctx(), &kind, &Attrs::new(), AccountState::Enabled, &[]).await.unwrap();
    assert_eq!((created.id.as_str(), created.pending.unwrap().ticket.as_str()), ("", "open"));

    let cx = host.ctx();
    let ask = async |ticket: &str| connector.tickets().unwrap().ticket(&cx, &kind, ticket).await;
    assert_eq!(ask("open").await.unwrap(), TicketState::Open);
    assert_eq!(ask("done").await.unwrap(), TicketState::Done { id: Some(NativeId::from("7")) });
    let TicketState::Refused(error) = ask("refused").await.unwrap() else { panic!("it is refused") };
    assert_eq!(error.class, Class::Invalid);
    assert_eq!(ask("strange").await.unwrap_err().class, Class::NotFound);
}
