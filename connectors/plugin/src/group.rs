//! How many processes a plugin is: itself and what it started.
//!
//! The limits of the kernel that a child process can be given hold for one process each; the one on processes (RLIMIT_NPROC)
//! counts all of the gateway's user, the gateway among them. So the process group is counted from outside. A process that leaves
//! the group on purpose is not seen: the digest says whose program it is, the count holds what happens by mistake.

use rustix::process::Pid;
use std::{fs, time::Duration};
use tokio::{task::spawn_blocking, time::sleep};

/// How often it is counted. What starts processes without end makes a few thousand in this time, which then end together.
const EVERY: Duration = Duration::from_secs(1);

/// Returns when the group of this process has more than `most`.
pub(crate) async fn outgrows(leader: Pid, most: u32) {
    let group = leader.as_raw_nonzero().get();
    loop {
        sleep(EVERY).await;
        // A count that was given up is made again.
        if spawn_blocking(move || count(group)).await.is_ok_and(|count| count > most) {
            return;
        }
    }
}

/// The processes of a group, those that ended and were not yet asked for among them: they too take a place in the kernel's table.
fn count(group: i32) -> u32 {
    let Ok(all) = fs::read_dir("/proc") else { return 0 };
    let stats = all.flatten().filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let of_group = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let count = of_group.filter(|stat| group_of(stat) == Some(group)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The fifth field of `/proc/PID/stat` (proc_pid_stat(5)). The second, a name in brackets, may hold blanks and brackets.
fn group_of(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_read_behind_any_name() {
        assert_eq!(group_of("41 (a) b (c) S 1 77 77 0 -1"), Some(77));
        assert_eq!(group_of("41 (a"), None);
    }

    #[test]
    fn a_group_has_its_own_processes() {
        let own = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| group_of(&stat));
        assert!(own.is_some_and(|own| count(own) >= 1));
        assert_eq!(count(i32::MAX), 0);
    }
}
