//! Waits for bytes without receiving them, for the faults in which the accepting thread does so.

use std::os::fd::BorrowedFd;

use rustix::net::{RecvFlags, recv};

/// Maximum bytes that are waited for.
const BYTES_MAX: usize = 16_384;

/// Blocks until `missing`, which is asked about the first bytes of the stream, returns 0, or until the
/// stream ends.
pub(super) fn wait(stream: BorrowedFd<'_>, missing: impl Fn(&[u8]) -> usize) {
    let mut begun = vec![0; BYTES_MAX];
    let mut known = 0;
    loop {
        let wanted = known + missing(&begun[..known]);
        if wanted == known || wanted > BYTES_MAX {
            return;
        }
        let flags = RecvFlags::PEEK | RecvFlags::WAITALL;
        match recv(stream, &mut begun[..wanted], flags) {
            Ok((_, count)) if count == wanted => known = count,
            Ok(_) | Err(_) => return,
        }
    }
}
