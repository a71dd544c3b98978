//! Sources of connections beyond the ports of one address.
#![expect(
    unsafe_code,
    reason = "the IP_BIND_ADDRESS_NO_PORT option has no safe wrapper"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Lets the port of a bound socket be chosen when it connects (ip(7), `IP_BIND_ADDRESS_NO_PORT`).
///
/// A port that bind(2) chooses has to be free for every destination; one that connect(2) chooses only
/// for its own. Without it, sources in 127/8 would share one range of ports.
///
/// # Errors
/// `ENOPROTOOPT` on kernels before 4.2, `EINVAL` once a port was chosen.
pub fn choose_port_at_connect(socket: impl AsFd) -> io::Result<()> {
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
