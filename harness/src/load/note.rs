//! Limits on what the figures of a load show. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::remark::Remark;

/// A limit on what the figures of a load show. It does not make them invalid.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub enum Note {
    /// An engine thread was busy all the time, while the server was not or its use of CPU is unknown.
    ClientSaturated {
        /// Share of the time in which the thread ran.
        busy: f64,
        /// Number of cores that the server used.
        server_cores: Option<f64>,
    },
}

impl Note {
    /// The stable id.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ClientSaturated { .. } => "client-saturated",
        }
    }

    fn sentence(&self) -> String {
        let Self::ClientSaturated { busy, server_cores } = self;
        let busy = busy * 100.0;
        match server_cores {
            Some(cores) => format!(
                "an engine thread was busy {busy:.0} % of the time while the server used {cores:.2} cores: the server may be capable of a higher rate"
            ),
            None => format!(
                "an engine thread was busy {busy:.0} % of the time, and the server's CPU use is unknown (pass --pid): the server may be capable of a higher rate"
            ),
        }
    }
}

impl From<&Note> for Remark {
    fn from(note: &Note) -> Self {
        Self {
            word: note.word().into(),
            sentence: note.sentence(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Remark::from(self).fmt(f)
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_contain_the_figures() {
        let limited = |server_cores| Note::ClientSaturated {
            busy: 0.98,
            server_cores,
        };
        assert!(limited(Some(0.74)).to_string().contains("used 0.74 cores"));
        assert!(limited(None).to_string().contains("--pid"));
    }
}
