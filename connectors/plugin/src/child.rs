//! A plugin as a child process.
//!
//! The program is opened once, hashed through that handle, and then executed through the same handle (`/proc/self/fd/N`), so a
//! file that is put in its place in between is not what runs. Two gaps are left. A program that somebody *writes into* between
//! hash and execution is executed as written: so nobody but its owner may have the right to write, and a program that everybody
//! may write is refused. A script (`#!`) is read again by its interpreter under its name, and so are `files`: whoever can
//! replace them at the right moment is believed. Keep plugins in folders that only root can write.
//!
//! The limits are set by `prlimit(2)` as soon as the process exists and before it is told anything. Setting them between fork
//! and exec would need unsafe code; what runs in that moment is the program that was hashed. How many processes it becomes is
//! counted while it runs (see `group`), so that together they use at most that many times the memory and time of one.

use crate::{
    config::{Digest, Limits, Settings},
    group,
    reach::{Fate, Reached, Way},
};
use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use connector_spi::{ConnError, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Read},
    os::{fd::AsRawFd, unix::fs::PermissionsExt, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Largest program or file in octets. Bounds the time of hashing.
const LARGEST: u64 = 1 << 30;
/// A process that was asked to end has this long before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// A program that may be started.
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    digest: Digest,
    files: Vec<(PathBuf, Digest)>,
    env: Vec<(String, String)>,
    limits: Limits,
}

impl Program {
    /// The program of these settings; `None` when they have none, or one with issues.
    pub fn of(settings: &Settings) -> Option<Self> {
        let (path, arguments) = settings.command.split_first()?;
        let files = settings.files.iter().map(|(path, digest)| Some((path.into(), Digest::read(digest)?)));
        Some(Self {
            path: path.into(),
            arguments: arguments.to_vec(),
            digest: Digest::read(settings.sha256.as_deref()?)?,
            files: files.collect::<Option<_>>()?,
            env: settings.env.clone().into_iter().collect(),
            limits: settings.limits.clone(),
        })
    }

    fn spawn(&self, program: &Verified) -> io::Result<Child> {
        let executed: OsString = if program.script {
            self.path.clone().into()
        } else {
            format!("/proc/self/fd/{}", program.file.as_raw_fd()).into()
        };
        Command::new(executed)
            .arg0(&self.path)
            .args(&self.arguments)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    fn limit(&self, process: Pid) -> rustix::io::Result<()> {
        let limits = &self.limits;
        let all = [
            (Resource::Data, Some(u64::from(limits.memory) << 20)),
            (Resource::Nofile, Some(limits.open_files.into())),
            (Resource::Cpu, limits.cpu.map(u64::from)),
            // A dump of its memory would hold secrets.
            (Resource::Core, Some(0)),
        ];
        for (resource, most) in all {
            if most.is_some() {
                prlimit(Some(process), resource, Rlimit { current: most, maximum: most })?;
            }
        }
        Ok(())
    }
}

/// A program whose content is what the settings say.
struct Verified {
    file: File,
    script: bool,
}

fn verified(path: &PathBuf, expected: Digest) -> Result<Verified> {
    let shown = path.display();
    let unreadable = |error: io::Error| ConnError::config(format!("{shown} cannot be read: {}", error.kind()));
    let mut file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(ConnError::config(format!("{shown} is no file")));
    }
    if about.permissions().mode() & 0o002 != 0 {
        return Err(ConnError::config(format!("{shown} may be written by everybody: it is not started")));
    }
    if about.len() > LARGEST {
        return Err(ConnError::config(format!("{shown} is larger than {LARGEST} octets")));
    }
    let (mut context, mut first, mut buffer) = (Context::new(&SHA256), None, vec![0; 64 << 10]);
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        first.get_or_insert_with(|| read.starts_with(b"#!"));
        context.update(read);
    }
    if context.finish().as_ref() != expected.0 {
        return Err(ConnError::config(format!("{shown} is not the file whose SHA-256 the settings name: not started")));
    }
    Ok(Verified { file, script: first.unwrap_or(false) })
}

#[async_trait]
impl Way for Program {
    fn shown(&self) -> String {
        self.path.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    async fn reach(&self) -> Result<Reached> {
        let (path, digest, files) = (self.path.clone(), self.digest, self.files.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            for (path, digest) in &files {
                verified(path, *digest)?;
            }
            verified(&path, digest)
        });
        let program = hashed.await.map_err(|_| ConnError::transient("it was not started: the gateway is ending"))??;
        let failed = |error: io::Error| match error.kind() {
            // Too many processes, no memory, a file that is just being replaced: none of it stays.
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::ExecutableFileBusy => {
                ConnError::transient(format!("it cannot be started: {error}"))
            }
            _ => ConnError::config(format!("it cannot be started: {error}")),
        };
        let mut child = self.spawn(&program).map_err(failed)?;
        drop(program);
        let gone = || ConnError::transient("it ended at once");
        let process = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).ok_or_else(gone)?;
        // A process that has ended already has no limits to set; that it ended is seen later, with its status.
        match self.limit(process) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(ConnError::config(format!("its limits cannot be set: {error}"))),
        }
        let (Some(to), Some(from), Some(said)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(gone());
        };
        let fate = Kept { child, process, most: self.limits.processes };
        Ok(Reached { from: Box::new(from), to: Box::new(to), said: Some(Box::new(said)), fate: Some(Box::new(fate)) })
    }
}

/// A process that runs.
struct Kept {
    child: Child,
    process: Pid,
    most: u32,
}

#[async_trait]
impl Fate for Kept {
    async fn ended(&mut self) -> String {
        tokio::select! {
            status = self.child.wait() => match status {
                Ok(status) => told(status),
                Err(_) => "its process is gone".to_owned(),
            },
            () = group::outgrows(self.process, self.most) => {
                let _none_left = kill_process_group(self.process, Signal::KILL);
                let _reaped = self.child.wait().await;
                format!("it became more than {} processes (limits.processes) and was ended", self.most)
            }
        }
    }

    async fn end(&mut self) {
        // It was told already, or its input is closed.
        let _in_time = timeout(GRACE, self.child.wait()).await;
        // The whole group: what it started ends with it. If nothing is left of it there is nothing to do.
        let _none_left = kill_process_group(self.process, Signal::KILL);
        let _reaped = self.child.wait().await;
    }
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "its process ended".to_owned(),
        (Some(code), _) => format!("its process ended with status {code}"),
        (None, Some(signal)) => format!("its process was ended by signal {signal}"),
        (None, None) => "its process ended".to_owned(),
    }
}
