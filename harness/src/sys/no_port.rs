//! Source ports of connections from several local addresses.
#![expect(
    unsafe_code,
    reason = "the IP_BIND_ADDRESS_NO_PORT option has no safe wrapper"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Makes the kernel choose the port of a bound socket at connect (ip(7),
/// `IP_BIND_ADDRESS_NO_PORT`).
///
/// A port chosen by bind(2) must be free for every destination, one chosen by connect(2) only for
/// its own. Without this option all source addresses in 127/8 would share one port range.
///
/// # Errors
/// `ENOPROTOOPT` on kernels before 4.2, `EINVAL` if a port has already been chosen.
pub(crate) fn choose_port_at_connect(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is borrowed for the call; the kernel reads one int, which lives here.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
