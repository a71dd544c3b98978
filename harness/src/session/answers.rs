//! Answers to messages that the server sends without a request: never in the middle of a request.

use crate::talk::{Decoder, Talk};

/// Where the last bytes sent are in their request, and the answers that wait for its end.
pub(super) struct Answers {
    /// Decodes requests; `None` if nothing is ever answered, or the end of a request is not recognizable.
    decoder: Option<Decoder>,
    /// The bytes of an unfinished request.
    unfinished: Vec<u8>,
    waiting: Vec<u8>,
}

impl Answers {
    pub(super) fn new(talk: &Talk) -> Self {
        let answers = talk.push.iter().any(|push| push.reply.is_some());
        let decoder = (answers && talk.request.is_delimited()).then(|| talk.request.decoder());
        Self {
            decoder,
            unfinished: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Notes that these bytes have been sent.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Some(decoder) = &mut self.decoder else {
            return;
        };
        self.unfinished.extend_from_slice(bytes);
        loop {
            match decoder.next(&self.unfinished) {
                Ok(Some(len)) => drop(self.unfinished.drain(..len)),
                Ok(None) => return,
                // Not a request: whatever follows is as good or bad as an answer.
                Err(_) => self.unfinished.clear(),
            }
            decoder.reset();
            if self.unfinished.is_empty() {
                return;
            }
        }
    }

    /// Adds an answer.
    pub(super) fn add(&mut self, answer: &[u8]) {
        self.waiting.extend_from_slice(answer);
    }

    /// The answers, once no request is unfinished.
    pub(super) fn due(&mut self) -> Vec<u8> {
        match self.unfinished.is_empty() {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_waits_for_the_end_of_the_request() {
        let talk = crate::file::builtin("line").unwrap().talk;
        assert!(Answers::new(&talk).decoder.is_none());
        let source = "[talk]\nframe = { until = \"\\n\" }\n[[talk.turn]]\nsend = \"a\\n\"\nexpect = \"b\\n\"\n\
                      [[talk.push]]\nmatch = \"ping\\n\"\nreply = \"pong\\n\"\n";
        let file = crate::file::parse(source, "t", std::path::Path::new("."));
        let mut answers = Answers::new(&file.unwrap().talk);
        answers.sent(b"one\ntw");
        answers.add(b"pong\n");
        assert!(answers.due().is_empty());
        answers.sent(b"o\n");
        assert_eq!(answers.due(), b"pong\n");
        assert!(answers.due().is_empty());
        answers.add(b"pong\n");
        assert_eq!(answers.due(), b"pong\n");
    }
}
