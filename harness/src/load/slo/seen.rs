//! The result of one measurement, as the search for a rate sees it.

/// What a measurement showed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// The replies per second of a closed loop.
    Capacity {
        per_s: f64,
        disturbed: Option<String>,
    },
    /// The measurement met the objective.
    Met { value_us: f64, disturbed: bool },
    /// The measurement missed the objective.
    Missed { value_us: f64, why: String },
    /// The measurement missed the objective, and something other than the server disturbed it.
    Disturbed { value_us: f64, why: String },
    /// The server ended.
    Died(String),
}
