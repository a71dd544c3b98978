//! What decided about a metric of a gate, where its interval does not show it.

use crate::gate::GateCell;
use crate::gate::rule::CellVerdict;

/// What decided that a metric fails although its interval contains the budget.
pub(super) fn decided(cell: &GateCell) -> Option<String> {
    let comparison = &cell.comparison;
    let budget = comparison.budget_pct;
    let contains = comparison.low_pct? <= budget;
    let estimates = [comparison.first_estimate_pct?, comparison.estimate_pct?];
    let [first, fresh] = estimates.map(|estimate| beyond(estimate, budget));
    let fails = comparison.verdict == CellVerdict::Fail && contains;
    fails.then(|| {
        format!(
            "exceeded by the estimates of {} sessions, {first} %, and of {} fresh ones, {fresh} %, and more than half of it is certain",
            comparison.sessions, comparison.fresh_sessions
        )
    })
}

/// An estimate with as many digits as show that it exceeds the budget.
fn beyond(estimate: f64, budget: f64) -> String {
    let shows = |text: &String| text.parse::<f64>().is_ok_and(|shown| shown > budget);
    let mut texts = (1..=6).map(|digits| format!("{estimate:+.digits$}"));
    texts.find(shows).unwrap_or_else(|| format!("{estimate:+}"))
}

#[cfg(test)]
mod tests {
    use crate::report::sample::gated;

    /// The interval of the fresh sessions contains the budget, and the estimate is rounded to it.
    #[test]
    fn what_decides_is_said_where_the_interval_does_not_show_it() {
        let of = |percent: f64, noise: f64| {
            let answer = gated(percent, noise, 2.0).answer();
            let begin = answer.find("(budget").unwrap();
            answer[begin..].to_owned()
        };
        let told = of(2.1, 2e-3);
        assert!(
            told.starts_with("(budget 2 %; exceeded by the estimates of 20 sessions, +2.1 %, and of 12 fresh ones, +2.05 %, and more than half of it is certain)"),
            "{told}"
        );
        // The whole interval is beyond, so it shows what decides.
        assert!(of(4.0, 1e-3).starts_with("(budget 2 %)"));
        // Within the budget nothing has to be said.
        assert!(of(0.0, 1e-3).starts_with("(budget 2 %)"));
    }
}
