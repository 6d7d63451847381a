//! A plugin beside the one that works, asked about settings.
//!
//! The check of settings is a plain function in the contract, and a plugin can only be asked over its wire. So this keeps a
//! thread of its own, with a process or connection of its own, and whoever asks waits for it.

use crate::{
    Settings,
    gateway::Gateway,
    kind::{Nobody, way},
    session::Raw,
};
use chartgate_plugin::{
    line::CallError,
    wire::{CheckConfig, CheckedConfig},
};
use connector_spi::{ConfigIssue, ConnError, Result};
use serde_json::Value as Json;
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tokio::time::timeout;

/// Most issues of one check.
const ISSUES: usize = 256;
/// What waits for the thread; whoever asks waits for the answer anyway.
const QUEUE: usize = 16;

type Question = (Json, mpsc::SyncSender<Vec<ConfigIssue>>);

/// The thread, once somebody has asked.
pub(crate) struct Aside {
    settings: Settings,
    questions: Mutex<Option<mpsc::SyncSender<Question>>>,
}

impl Aside {
    pub fn new(settings: Settings) -> Self {
        Self { settings, questions: Mutex::default() }
    }

    /// What the plugin says is wrong with these settings; that it does not answer is one issue.
    pub fn check(&self, config: Json) -> Vec<ConfigIssue> {
        let limit = Duration::from_secs(self.settings.limits.start.into());
        let (answer, answered) = mpsc::sync_channel(1);
        let asked = {
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            let thread = questions.get_or_insert_with(|| begin(self.settings.clone()));
            thread.try_send((config, answer)).is_ok()
        };
        let silent = || vec![issue("the plugin does not answer")];
        if !asked {
            // The thread could not start its plugin, and ended: the next question starts it anew.
            *self.questions.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return silent();
        }
        // Twice: it may have to start first.
        answered.recv_timeout(limit * 2).unwrap_or_else(|_| silent())
    }
}

fn issue(message: &str) -> ConfigIssue {
    ConfigIssue { pointer: String::new(), message: message.to_owned(), hint: None }
}

fn begin(settings: Settings) -> mpsc::SyncSender<Question> {
    let (asks, questions) = mpsc::sync_channel::<Question>(QUEUE);
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let mut greeted: Option<Raw> = None;
        while let Ok((config, answer)) = questions.recv() {
            let issues = runtime.block_on(ask(&settings, &mut greeted, &config));
            // Whoever asked may have given up.
            let _gone = answer.try_send(issues.unwrap_or_else(|error| vec![issue(&error.to_string())]));
        }
        // Its process is ended here, before its runtime is.
        runtime.block_on(async {
            if let Some(raw) = greeted.take() {
                raw.line.end("it is no longer needed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    });
    asks
}

async fn ask(settings: &Settings, greeted: &mut Option<Raw>, config: &Json) -> Result<Vec<ConfigIssue>> {
    let limit = Duration::from_secs(settings.limits.start.into());
    let work = async {
        if greeted.as_ref().is_none_or(|raw| raw.line.over().is_some()) {
            let gateway = Gateway::new(Arc::new(Nobody), Default::default());
            let raw = Raw::reach(way(settings)?.as_ref(), Arc::new(gateway)).await?;
            raw.greet().await?;
            *greeted = Some(raw);
        }
        let raw = greeted.as_ref().ok_or_else(|| ConnError::transient("it did not start"))?;
        let asked = CheckConfig { config: Cow::Borrowed(config) };
        let checked: std::result::Result<CheckedConfig, CallError> = raw.line.call("check_config", &asked).await;
        let checked = checked.map_err(|error| ConnError::unknown(error.to_string()))?;
        Ok(checked.issues.into_iter().take(ISSUES).map(Into::into).collect())
    };
    timeout(limit, work).await.unwrap_or_else(|_| Err(ConnError::timeout("no answer in time")))
}
