//! The addresses of a program's stack, heap and libraries.
#![expect(unsafe_code, reason = "personality has no safe wrapper")]

use std::io;

/// The argument that makes personality(2) return the current value without changing it.
const QUERY: libc::c_ulong = 0xffff_ffff;

/// Disables address space layout randomization (personality(2), `ADDR_NO_RANDOMIZE`) for programs
/// that this thread starts from now on, so that their addresses are the same in every run.
///
/// # Errors
/// `EPERM` in containers whose seccomp profile only allows the usual personalities, such as
/// Docker's.
pub(crate) fn fix_addresses() -> io::Result<()> {
    // SAFETY: personality takes one integer, and this one changes nothing.
    let now = unsafe { libc::personality(QUERY) };
    let fixed = now.cast_unsigned() | libc::ADDR_NO_RANDOMIZE.cast_unsigned();
    // SAFETY: as above. The flag only takes effect at exec, so the layout of this process does not change.
    match unsafe { libc::personality(libc::c_ulong::from(fixed)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether the system allows `fix_addresses`. Changes nothing.
pub fn can_fix_addresses() -> bool {
    // The personality belongs to the thread, which ends here.
    let tried = std::thread::spawn(fix_addresses).join();
    tried.is_ok_and(|fixed| fixed.is_ok())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The `[stack]` line of the memory map of a program started by a thread with or without fixed addresses.
    fn map(fixed: bool) -> String {
        let started = std::thread::spawn(move || {
            if fixed {
                fix_addresses()?;
            }
            let mut command = Command::new("grep");
            command.args(["-F", "[stack]", "/proc/self/maps"]).output()
        });
        let output = started.join().expect("no panic").expect("grep is run");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn addresses_are_the_same_in_every_run_only_if_fixed() {
        if !can_fix_addresses() {
            eprintln!("skipped: this system does not allow fixed addresses");
            return;
        }
        assert_eq!(map(true), map(true));
        let random = std::fs::read_to_string("/proc/sys/kernel/randomize_va_space").unwrap();
        if random.trim() == "2" {
            let others: std::collections::BTreeSet<String> = (0..4).map(|_| map(false)).collect();
            assert!(others.len() > 1, "{others:?}");
        }
    }
}
