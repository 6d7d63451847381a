//! What a process has used, as the kernel counts it.

use std::fs;

/// Processor time so far, user and system, in microseconds. The kernel counts in steps of 10 ms.
pub fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let (_, after) = stat.rsplit_once(") ").expect("the name is in parentheses");
    let fields: Vec<&str> = after.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    // proc(5): utime and stime are fields 14 and 15; USER_HZ is 100 on every Linux.
    (ticks(11) + ticks(12)) * 10_000.0
}

/// Resident memory in MB (10^6 octets): now, and the most it ever was.
pub fn memory(pid: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("KiB") * 1024.0 / 1e6
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// How busy the machine is.
pub fn load() -> String {
    fs::read_to_string("/proc/loadavg").map(|text| text.split(' ').next().unwrap_or("?").to_owned()).unwrap_or_default()
}
