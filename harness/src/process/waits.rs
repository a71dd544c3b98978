//! Where the threads of a server sleep: the system call in which each of them waits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Number of threads of a process by what they do, such as `epoll_wait`.
pub(super) fn threads(pid: u32) -> BTreeMap<String, usize> {
    let mut threads = BTreeMap::new();
    let folder = fs::read_dir(format!("/proc/{pid}/task"));
    for thread in folder.into_iter().flatten().flatten() {
        *threads.entry(doing(&thread.path())).or_default() += 1;
    }
    threads
}

/// What the thread with this folder does.
fn doing(thread: &Path) -> String {
    let text = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
    let call = text("syscall");
    if call.trim() == "running" {
        return "running".to_owned();
    }
    if let Some(call) = called(&call) {
        return call;
    }
    // Without the right to see the call, the kernel may still name its function.
    match text("wchan").trim() {
        "" | "0" => "an unknown call".to_owned(),
        function => function.to_owned(),
    }
}

/// The name of the call in a `/proc/PID/task/TID/syscall`, and its time-out if that is an argument.
fn called(text: &str) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let number: libc::c_long = words.next()?.parse().ok()?;
    let name = CALLS.iter().find(|(known, _)| *known == number);
    let Some((_, name)) = name else {
        return (number >= 0).then(|| format!("system call {number}"));
    };
    let place = match *name {
        "epoll_wait" | "epoll_pwait" => 3,
        "poll" => 2,
        _ => return Some((*name).to_owned()),
    };
    let argument = words.nth(place)?.trim_start_matches("0x");
    // The argument is an int: milliseconds, or -1 for no time-out.
    let ms = u64::from_str_radix(argument, 16).ok()? as u32 as i32;
    Some(match ms {
        0..=OFTEN_MS => format!("{name} for up to {ms} ms"),
        _ => (*name).to_owned(),
    })
}

/// The longest time-out that is told: a thread with a shorter one wakes up at least so often.
const OFTEN_MS: i32 = 1_000;

/// The calls in which servers wait.
const CALLS: &[(libc::c_long, &str)] = &[
    (libc::SYS_read, "read"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmsg, "recvmsg"),
    (libc::SYS_accept, "accept"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_nanosleep, "nanosleep"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_restart_syscall, "restart_syscall"),
    (libc::SYS_epoll_pwait, "epoll_pwait"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_pselect6, "pselect6"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_waitid, "waitid"),
    (libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
    (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, "epoll_wait"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, "poll"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_select, "select"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_pause, "pause"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names_and_time_outs() {
        let wait = |call: libc::c_long, timeout: &str| {
            called(&format!(
                "{call} 0x4 0x7ffd1 0x100 {timeout} 0x0 0x8 0x7ffe 0x7f\n"
            ))
        };
        let epoll = libc::SYS_epoll_pwait;
        assert_eq!(
            wait(epoll, "0xffffffffffffffff"),
            Some("epoll_pwait".into())
        );
        assert_eq!(wait(epoll, "0xffffffff"), Some("epoll_pwait".into()));
        assert_eq!(
            wait(epoll, "0x64"),
            Some("epoll_pwait for up to 100 ms".into())
        );
        assert_eq!(wait(epoll, "0xea60"), Some("epoll_pwait".into()));
        assert_eq!(wait(libc::SYS_futex, "0x0"), Some("futex".into()));
        assert_eq!(wait(99_999, "0x0"), Some("system call 99999".into()));
        assert_eq!(called("-1 0x7ffd 0x7f\n"), None);
        assert_eq!(called(""), None);
    }

    /// The own threads: one waits for a channel, which is a futex.
    #[test]
    fn a_thread_that_waits_is_seen() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || receiver.recv());
        let begun = std::time::Instant::now();
        while !threads(std::process::id()).contains_key("futex") {
            assert!(begun.elapsed().as_secs() < 10, "no thread waits");
            std::thread::yield_now();
        }
        drop(sender);
        assert!(waiting.join().is_ok_and(|received| received.is_err()));
    }
}
