//! A reader at a terminal: one shell, in which commands follow each other.

use super::page::fits;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Ends what a command printed; its status follows.
const MARK: &str = "=====done=====";
/// The longest time of one command.
const PATIENCE: Duration = Duration::from_secs(300);

/// A shell. What it started ends with it.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    folder: PathBuf,
    started: usize,
}

impl Shell {
    /// Opens one in this folder; `chartgate` is the one under test.
    pub fn begin(folder: &Path) -> Shell {
        let program = harness::gateway::binary().parent().unwrap().display().to_string();
        let path = harness::slapd::variable("PATH").unwrap_or_default().to_string_lossy().into_owned();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc"]).current_dir(folder).env("PATH", format!("{program}:{path}"));
        command.env("LC_ALL", "C.UTF-8").env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash starts");
        let (input, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _gone = tell.send(line);
            }
        });
        Shell { child, input, lines, folder: folder.to_path_buf(), started: 0 }
    }

    /// Writes a file of the page into the folder where the reader is.
    pub fn write(&mut self, path: &str, text: &str) {
        let (here, _) = self.carry_out("pwd");
        std::fs::write(Path::new(here.trim()).join(path), text).unwrap();
    }

    /// Runs a command and compares what it prints. One that ends with `&` goes on; it must print what the page says soon.
    pub fn run(&mut self, command: &str, prints: &str, fails: bool) {
        if let Some(command) = command.strip_suffix(" &") {
            return self.start(command, prints);
        }
        let (said, status) = self.carry_out(command);
        assert_eq!(status != 0, fails, "$ {command}\n{said}\nended with {status}");
        assert!(prints.is_empty() || fits(&said, prints), "$ {command}\nprinted\n{said}\nthe page says\n{prints}");
    }

    fn start(&mut self, command: &str, prints: &str) {
        self.started += 1;
        let file = self.folder.join(format!("started-{}.out", self.started));
        let (said, status) = self.carry_out(&format!("{command} >{0} 2>{0}.errors &", file.display()));
        assert_eq!(status, 0, "{said}");
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(&file).unwrap_or_default();
            if !said.is_empty() && fits(&said, prints) {
                return;
            }
            let late = begun.elapsed() > Duration::from_secs(60);
            assert!(!late, "$ {command} &\nprinted\n{said}\nthe page says\n{prints}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a command prints, and its status.
    fn carry_out(&mut self, command: &str) -> (String, i32) {
        write!(self.input, "{{ {command}\n}} </dev/null 2>&1; echo \"{MARK}$?\"\n").unwrap();
        let (mut said, begun) = (String::new(), Instant::now());
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|why| panic!("$ {command}\n{said}\n{why}"));
            if let Some((before, status)) = line.split_once(MARK) {
                return (said + before, status.parse().unwrap());
            }
            said += &format!("{line}\n");
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Not through `carry_out`, which panics when the shell is gone already.
        let _told = writeln!(self.input, "kill $(jobs -p) 2>/dev/null; wait; exit");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(15) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
