//! A gateway whose store already holds very many users: loaded through the store's own interface, for speed, and then served
//! by the real binary.

use crate::load::Door;
use crate::{people, rows};
use gateway_domain::index::Plan;
use gateway_domain::{Action, AuditEntry, ResourceId, SourceId};
use gateway_store::{AssertionWrite, Change, Expect, Sqlite, Store, Write};
use harness::Gateway;
use scim::{Aliases, Context, Dialect, Resource, Types};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tempfile::TempDir;

/// The name of the one source of a gateway without a configuration file.
const SOURCE: &str = "scim";
const TOKEN: &str = "test-only-token";
/// Writes that wait for one another's commit.
const AT_ONCE: usize = 512;

/// A gateway with users.
pub struct Loaded {
    /// Its process.
    pub gateway: Gateway,
    /// Its door.
    pub door: Door,
    /// The ids of its users, in order of their numbers.
    pub ids: Vec<String>,
    _folder: TempDir,
}

impl Loaded {
    /// Fills a store with `count` users and serves it.
    pub fn with(count: usize) -> Loaded {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.db");
        // The gateway makes the store itself, so that it finds its own policy in it and has nothing to look through.
        serve(&file).terminate();
        let began = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let ids = runtime.block_on(fill(&file, count));
        eprintln!("   {count} users loaded in {:.0} s", began.elapsed().as_secs_f64());
        let gateway = serve(&file);
        let door = Door::new(&gateway.base, TOKEN);
        Loaded { gateway, door, ids, _folder: folder }
    }
}

fn serve(file: &Path) -> Gateway {
    Gateway::plain(&format!("sqlite:{}", file.display()), TOKEN, &[], &file.with_extension("log"))
}

async fn fill(file: &Path, count: usize) -> Vec<String> {
    let store = Arc::new(Sqlite::open(file, rows::clock(), Default::default()).expect("the store"));
    let epoch = store.snapshot("User", &ResourceId::from("nobody")).await.expect("a snapshot").policy_epoch;
    let types = Arc::new(Types::built_in());
    let plan = Arc::new(Plan::of(types.user()));
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..AT_ONCE.min(count))
        .map(|_| {
            let (store, types, plan, next) = (store.clone(), types.clone(), plan.clone(), next.clone());
            tokio::spawn(async move {
                let mut made = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return made;
                    }
                    let change = change(&types, &plan, epoch, n);
                    made.push((n, change.id.as_str().to_owned()));
                    store.commit(change).await.expect("a new user");
                }
            })
        })
        .collect();
    let mut ids = vec![String::new(); count];
    for task in tasks {
        for (n, id) in task.await.expect("a loader") {
            ids[n] = id;
        }
    }
    ids
}

/// A create as the gateway writes it for a source's POST.
fn change(types: &Types, plan: &Plan, epoch: u64, n: usize) -> Change {
    let source = SourceId::from(SOURCE);
    let parsed = Resource::parse(people::user("s", n), types.user(), Dialect::Tolerant, Context::Create, Aliases::NONE);
    let mut resource = parsed.expect("a user").resource;
    let external_id = resource.external_id().map(str::to_owned);
    resource.attrs.remove("externalId");
    let names: BTreeMap<_, _> = external_id.iter().map(|name| (source.clone(), name.clone())).collect();
    let index = plan.entries(&resource, &names);
    let id = ResourceId::from(uuid::Uuid::now_v7().to_string().as_str());
    let now = rows::clock().now();
    Change {
        ty: types.user().name.clone(),
        id: id.clone(),
        expect: Expect::Absent,
        policy_epoch: epoch,
        write: Write::Put { attrs: resource.attrs.clone(), index, unindex: Vec::new() },
        source,
        assertion: Some(AssertionWrite::Put { attrs: resource.attrs, external_id }),
        members: Vec::new(),
        sweep_members: false,
        sweep: None,
        links: Vec::new(),
        next_change_at: None,
        audit: AuditEntry {
            at: now,
            actor: format!("source:{SOURCE}"),
            action: Action::Create,
            resource: Some(id),
            subject: "User".into(),
            version: 1,
            detail: String::new(),
        },
        now,
    }
}
