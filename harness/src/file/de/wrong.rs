//! What is wrong, before and after it is known where.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::super::Fault;

/// An error of deserialization. The innermost [`Node`](super::Node) that sees it adds its name and its place.
#[derive(Debug)]
pub(in crate::file) enum Wrong {
    /// A fault with its place.
    At(Fault),
    /// The value has the right type and is still refused: what it must be.
    MustBe(String),
    /// A sentence about the value.
    Why(String),
    /// A table lacks this key.
    Missing(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(fault) => f.write_str(&fault.message),
            Self::MustBe(wanted) => write!(f, "must be {wanted}"),
            Self::Why(why) => f.write_str(why),
            Self::Missing(key) => write!(f, "has no `{key}`"),
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::Why(why.to_string())
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::MustBe(format!("{wanted}, not {found}"))
    }

    fn missing_field(key: &'static str) -> Self {
        Self::Missing(key)
    }
}
