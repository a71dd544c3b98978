//! Which part of a load a process generates.

/// Which part of a load this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the part, starting at 0.
    pub index: usize,
    /// Number of parts.
    pub count: usize,
}

/// The number of a process that generates nothing and reports what the server uses. Parts in reports start at 1.
pub(crate) const OBSERVER: usize = 0;

impl Part {
    /// The only part of a load that a single process generates.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl Default for Part {
    fn default() -> Self {
        Self::WHOLE
    }
}
