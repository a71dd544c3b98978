//! Why a round of a sweep is not valid. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{Reason, Remark};

/// Why a round is not valid.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Refusal {
    /// The server did not start with these settings.
    NotStarted(String),
    /// Its figures are not to be trusted.
    Invalid(Vec<Invalidity>),
}

/// A reason not to trust the figures of a round.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(super) struct Invalidity {
    /// The reason.
    reason: Remark,
    /// Whether another round may not meet it.
    may_pass: bool,
}

/// A kind of reason for which rounds were not valid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trouble {
    /// Its stable word.
    pub word: Cow<'static, str>,
    /// Whether another round may not meet it.
    pub may_pass: bool,
}

/// The word of a server that did not start.
const NOT_STARTED: Cow<'static, str> = Cow::Borrowed("not-started");

impl From<Vec<Reason>> for Refusal {
    fn from(reasons: Vec<Reason>) -> Self {
        let kept = |reason: &Reason| Invalidity {
            reason: Remark::from(reason),
            may_pass: reason.may_pass(),
        };
        Self::Invalid(reasons.iter().map(kept).collect())
    }
}

impl Refusal {
    pub(super) fn remarks(&self) -> Vec<Remark> {
        match self {
            Self::NotStarted(why) => vec![Remark {
                word: NOT_STARTED,
                sentence: why.clone(),
            }],
            Self::Invalid(reasons) => reasons.iter().map(|one| one.reason.clone()).collect(),
        }
    }

    pub(super) fn troubles(&self) -> Vec<Trouble> {
        match self {
            Self::NotStarted(_) => vec![Trouble {
                word: NOT_STARTED,
                may_pass: false,
            }],
            Self::Invalid(reasons) => reasons
                .iter()
                .map(|one| Trouble {
                    word: one.reason.word.clone(),
                    may_pass: one.may_pass,
                })
                .collect(),
        }
    }

    /// Nothing about it may pass.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.troubles().iter().any(|trouble| trouble.may_pass)
    }
}

/// Each kind of remark once, the last of its kind, with how many there were.
pub(super) fn counted(
    remarks: impl Iterator<Item = Remark>,
) -> impl Iterator<Item = (usize, Remark)> {
    let mut kinds: BTreeMap<Cow<'static, str>, (usize, Remark)> = BTreeMap::new();
    for remark in remarks {
        let times = kinds.get(&remark.word).map_or(0, |kept| kept.0);
        kinds.insert(remark.word.clone(), (times + 1, remark));
    }
    kinds.into_values()
}
