//! The two servers that a gate compares, by name.

use std::fmt;
use std::ops::{Index, IndexMut};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The server before the change.
    Base,
    /// The server after the change.
    Candidate,
}

/// A value for each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Pair<T> {
    /// The base's value.
    pub base: T,
    /// The candidate's value.
    pub candidate: T,
}

impl Side {
    /// Both sides, the base first.
    pub const BOTH: [Self; 2] = [Self::Base, Self::Candidate];

    /// The name in options, messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Candidate => "candidate",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Base => Self::Candidate,
            Self::Candidate => Self::Base,
        }
    }

    /// Alternates from one number to the next, beginning with the base.
    pub(crate) fn alternating(number: usize) -> Self {
        if number.is_multiple_of(2) {
            Self::Base
        } else {
            Self::Candidate
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T> Pair<T> {
    /// A value computed for each side, the base first.
    pub fn of(mut value: impl FnMut(Side) -> T) -> Self {
        Self {
            base: value(Side::Base),
            candidate: value(Side::Candidate),
        }
    }

    /// The same value for both sides.
    pub fn both(value: T) -> Self
    where
        T: Clone,
    {
        Self {
            base: value.clone(),
            candidate: value,
        }
    }

    /// Applies a function to both values.
    pub fn map<U>(self, mut function: impl FnMut(T) -> U) -> Pair<U> {
        Pair {
            base: function(self.base),
            candidate: function(self.candidate),
        }
    }

    /// References to both values.
    pub fn as_ref(&self) -> Pair<&T> {
        Pair {
            base: &self.base,
            candidate: &self.candidate,
        }
    }

    /// Computes both values, `first` before the other side; stops at the first error.
    pub(crate) fn try_of<E>(
        first: Side,
        mut value: impl FnMut(Side) -> Result<T, E>,
    ) -> Result<Self, E> {
        let one = value(first)?;
        let other = value(first.other())?;
        Ok(match first {
            Side::Base => Self {
                base: one,
                candidate: other,
            },
            Side::Candidate => Self {
                base: other,
                candidate: one,
            },
        })
    }
}

impl<T> Index<Side> for Pair<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Base => &self.base,
            Side::Candidate => &self.candidate,
        }
    }
}

impl<T> IndexMut<Side> for Pair<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Base => &mut self.base,
            Side::Candidate => &mut self.candidate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_side_is_computed_first_and_values_keep_their_side() {
        for first in Side::BOTH {
            let mut order = Vec::new();
            let pair = Pair::try_of(first, |side| {
                order.push(side);
                Ok::<_, ()>(side)
            });
            assert_eq!(order, [first, first.other()]);
            assert_eq!(pair, Ok(Pair::of(|side| side)));
        }
        let failed = Pair::<()>::try_of(Side::Candidate, Err);
        assert_eq!(failed, Err(Side::Candidate));
    }

    #[test]
    fn names_are_those_of_the_json() {
        for side in Side::BOTH {
            assert_eq!(serde_json::to_value(side).unwrap(), side.name());
        }
    }
}
