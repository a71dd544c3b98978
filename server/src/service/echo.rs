//! A byte stream that comes back as it is: no requests, hence no refusals.

use super::{Flow, Service};

/// Echoes every byte.
pub(super) struct Echo;

impl Service for Echo {
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow {
        out.extend_from_slice(input);
        Flow::Continue
    }

    fn in_flight(&self) -> bool {
        false
    }

    fn buffered(&self) -> usize {
        0
    }
}
