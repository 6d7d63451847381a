//! From calls against a simulator to the cases of a file.

use async_trait::async_trait;
use connector_cases::{Call, Case, Circumstances, Exchange, Setup, case_text, setup_text};
use connector_spi::{ConnError, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use gateway_server::kinds::Kinds;
use gateway_server::target_file::{self, live::Live, live::Sending};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const HEAD: &str = "# ---- cases ";

/// A gateway with one secret.
pub struct Gateway(pub &'static str);

#[async_trait]
impl Host for Gateway {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        Ok(Secret::new(self.0.to_owned()))
    }
    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::unsupported("not here"))
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

/// A file under way to its cases.
pub struct Scene {
    pub profile: &'static str,
    pub kinds: Kinds,
    pub settings: Value,
    pub setup: Setup,
    pub cases: Vec<Case>,
    host: Arc<Gateway>,
    kept: BTreeMap<String, String>,
    made: Cell<u32>,
}

impl Scene {
    /// The shipped file with what a deployment adds to it.
    pub fn new(profile: &'static str, secret: &'static str, deployment: Value) -> Self {
        let kinds = Kinds::built_in();
        let text = kinds.profile(profile).unwrap().text.split(HEAD).next().unwrap();
        let settings = connector_testkit::settings(text, deployment).unwrap();
        let host = Arc::new(Gateway(secret));
        Self {
            profile,
            kinds,
            settings,
            setup: Setup::default(),
            cases: Vec::new(),
            host,
            kept: BTreeMap::new(),
            made: Cell::new(0),
        }
    }

    fn kind(&self) -> &'static str {
        self.kinds.profile(self.profile).unwrap().kind
    }

    fn call(&self, call: Value) -> Call {
        let mut text = call.to_string();
        for (name, id) in &self.kept {
            text = text.replace(&format!("${name}"), id);
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Makes something without recording it, and keeps its id under a name.
    pub async fn given(&mut self, keep: &str, call: Value) {
        let case = self.recorded("given", call, Circumstances::default()).await;
        let result = case.expect.result.unwrap_or_else(|| panic!("{keep}: {:?}", case.expect.error));
        if let Some(id) = result["id"].as_str() {
            self.kept.insert(keep.to_owned(), id.to_owned());
        }
    }

    /// Records a call as a case.
    pub async fn case(&mut self, name: &str, call: Value) -> &mut Case {
        self.case_with(name, call, Circumstances::default()).await
    }

    /// As [`Scene::case`], with more than the usual around the call.
    pub async fn case_with(&mut self, name: &str, call: Value, cx: Circumstances) -> &mut Case {
        let mut case = self.recorded(name, call, cx).await;
        let standing = |one: &Exchange| {
            self.setup
                .standing
                .iter()
                .any(|known| known.request.path == one.request.path && one.request.method == "GET")
        };
        case.exchange.retain(|one| !standing(one));
        // The simulators' doors tell the machine's time, their rules go by the story's.
        for date in case.exchange.iter_mut().filter_map(|one| one.reply.headers.get_mut("date")) {
            "Wed, 01 Jul 2026 04:00:00 GMT".clone_into(date);
        }
        self.cases.push(case);
        self.cases.last_mut().unwrap()
    }

    async fn recorded(&self, name: &str, call: Value, cx: Circumstances) -> Case {
        let host: Arc<dyn Host> = self.host.clone();
        let live = Live::open(self.kind(), &self.settings, &self.kinds, host, Sending::All).await.unwrap();
        let call = self.call(call);
        // A change of its own has an id of its own: some targets know it again.
        let op_id =
            if matches!(call, Call::Create { .. }) { format!("create-{}", self.made.get() + 1) } else { cx.op_id };
        self.made.set(self.made.get() + u32::from(matches!(call, Call::Create { .. })));
        live.record(name, call, Circumstances { op_id, ..cx }).await
    }

    /// Runs a case of a database and takes what comes of it.
    pub async fn filled(&mut self, case: Value) {
        let case: Case = serde_json::from_value(case).unwrap();
        let kind = self.kinds.named(self.kind()).unwrap();
        let stand = target_file::stand(self.kind()).unwrap();
        let filled =
            connector_cases::filled(&case, &self.setup, &self.settings, kind.as_ref(), &stand, &BTreeMap::new()).await;
        self.cases.push(filled.unwrap_or_else(|problem| panic!("{}: {problem}", case.name)));
    }

    /// Compares the file's cases with these, or writes them.
    #[allow(clippy::disallowed_methods, reason = "whoever runs the tests says whether to write")]
    pub fn end(self) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../connectors/profiles/{}.toml", self.profile));
        let text = std::fs::read_to_string(&path).unwrap();
        let before = text.split(HEAD).next().unwrap().trim_end();
        let mut written = format!("{before}\n\n{HEAD:-<123}\n\n");
        written.push_str("# Recorded against the simulator; `chartgate target test` runs them. Every person in them is invented.\n\n");
        let base = json!(Setup::default());
        if json!(self.setup) != base {
            written.push_str(&setup_text(&self.setup));
            written.push('\n');
        }
        let texts: Vec<String> = self.cases.iter().map(case_text).collect();
        written.push_str(&texts.join("\n"));
        if std::env::var_os("CHARTGATE_RECORD").is_some() {
            std::fs::write(&path, written).unwrap();
            return;
        }
        let differs = text.lines().zip(written.lines()).position(|(one, other)| one != other);
        if let Some(line) = differs {
            let (old, new) = (text.lines().nth(line).unwrap(), written.lines().nth(line).unwrap());
            panic!("{}:{}: the simulator says otherwise\n file: {old}\n  now: {new}", path.display(), line + 1);
        }
        assert_eq!(text.lines().count(), written.lines().count(), "{}", self.profile);
    }
}
