//! The first half of a request, for clients that leave in the middle of it.

use crate::check::{Checked, Cx, skip};

/// About half of a plain request, never a whole one.
pub(super) fn request(cx: &Cx) -> Checked<Vec<u8>> {
    let mut request = cx.voice().turn()?.request;
    if request.len() < 2 {
        return skip("the request is a single byte and cannot be cut in half");
    }
    request.truncate(request.len() / 2);
    Ok(request)
}
