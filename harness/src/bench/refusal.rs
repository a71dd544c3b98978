//! Why a round of a sweep is not valid. Pure.

use crate::load::{Reason, Remark};

/// Why a round is not valid.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The server did not start with these settings.
    NotStarted(String),
    /// Its figures are not to be trusted.
    Invalid(Vec<Reason>),
}

/// A kind of reason for which rounds were not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trouble {
    /// Its stable word.
    pub word: &'static str,
    /// Whether another round may not meet it.
    pub may_pass: bool,
}

impl Refusal {
    pub(super) fn remarks(&self) -> Vec<Remark> {
        match self {
            Self::NotStarted(why) => vec![Remark {
                word: "not-started",
                sentence: why.clone(),
            }],
            Self::Invalid(reasons) => reasons.iter().map(Remark::from).collect(),
        }
    }

    pub(super) fn troubles(&self) -> Vec<Trouble> {
        match self {
            Self::NotStarted(_) => vec![Trouble {
                word: "not-started",
                may_pass: false,
            }],
            Self::Invalid(reasons) => reasons
                .iter()
                .map(|reason| Trouble {
                    word: reason.word(),
                    may_pass: reason.may_pass(),
                })
                .collect(),
        }
    }

    /// Nothing about it may pass.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.troubles().iter().any(|trouble| trouble.may_pass)
    }
}
