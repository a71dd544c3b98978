//! Echoes the byte stream. There are no requests, hence no refusals.

use super::{Flow, Service};

pub(super) struct EchoService;

impl Service for EchoService {
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
