//! Messages that consist of several frames, up to one that matches a pattern.

use super::Frame;
use crate::talk::pattern::Pattern;

/// Several frames that form one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Several {
    /// The frame of each.
    pub each: Frame,
    /// Matches the last one, compared with its header.
    pub last: Pattern,
}

impl Several {
    /// The frames of a message.
    pub(super) fn frames<'a>(&self, message: &'a [u8]) -> Vec<&'a [u8]> {
        let mut decoder = self.each.decoder();
        let (mut frames, mut rest) = (Vec::new(), message);
        while !rest.is_empty() {
            let len = match decoder.next(rest) {
                Ok(Some(len)) if len > 0 => len,
                _ => rest.len(),
            };
            let (frame, others) = rest.split_at(len);
            frames.push(frame);
            rest = others;
            decoder.reset();
        }
        frames
    }

    pub(super) fn describe(&self) -> String {
        let (each, last) = (self.each.describe(), &self.last);
        format!("frames ({each}), up to one that matches {last:?}")
    }
}
