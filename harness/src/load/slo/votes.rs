//! Combines the windows at one rate into a judgement. Pure.

use super::{Seen, Tried};

/// The judgement of the windows at one rate.
pub(super) enum Judgement {
    Met,
    Missed(String),
    /// Too many windows were disturbed.
    Unsure(String),
}

/// The windows at one rate so far.
#[derive(Default)]
pub(super) struct Votes {
    met: usize,
    missed: usize,
    disturbed: usize,
    values_us: Vec<f64>,
    why: String,
}

impl Votes {
    pub(super) fn count(&mut self, seen: Seen) {
        match seen {
            Seen::Met { value_us, .. } => {
                self.met += 1;
                self.values_us.push(value_us);
            }
            Seen::Missed { value_us, why } => {
                self.missed += 1;
                self.values_us.push(value_us);
                self.why = why;
            }
            Seen::Disturbed { why, .. } => {
                self.disturbed += 1;
                self.why = why;
            }
            Seen::Capacity { .. } | Seen::Died(_) => {}
        }
    }

    /// The judgement, once `meet` windows have met the objective, `miss` have missed it, or more than `repeats` were
    /// disturbed.
    pub(super) fn judge(&self, meet: usize, miss: usize, repeats: usize) -> Option<Judgement> {
        if self.met >= meet {
            Some(Judgement::Met)
        } else if self.missed >= miss {
            Some(Judgement::Missed(self.why.clone()))
        } else if self.disturbed > repeats {
            Some(Judgement::Unsure(self.why.clone()))
        } else {
            None
        }
    }

    /// Number of disturbed windows.
    pub(super) fn disturbed(&self) -> usize {
        self.disturbed
    }

    /// Summarizes the windows for the report.
    pub(super) fn tried(&self, rate: f64) -> Tried {
        Tried {
            rate,
            passed: self.met,
            windows: self.met + self.missed,
            disturbed: self.disturbed,
            value_us: crate::stats::median(&self.values_us).unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(text: &str) -> Votes {
        let mut votes = Votes::default();
        for vote in text.chars() {
            votes.count(match vote {
                '+' => Seen::Met {
                    value_us: 1.0,
                    disturbed: false,
                },
                '-' => Seen::Missed {
                    value_us: 9.0,
                    why: "slow".into(),
                },
                _ => Seen::Disturbed {
                    value_us: 99.0,
                    why: "steal".into(),
                },
            });
        }
        votes
    }

    fn word(text: &str, repeats: usize) -> &'static str {
        match votes(text).judge(2, 2, repeats) {
            None => "open",
            Some(Judgement::Met) => "met",
            Some(Judgement::Missed(_)) => "missed",
            Some(Judgement::Unsure(_)) => "unsure",
        }
    }

    #[test]
    fn the_majority_decides_and_disturbed_windows_do_not_count() {
        for (text, expected) in [
            ("", "open"),
            ("+-", "open"),
            ("+-+", "met"),
            ("-+-", "missed"),
            ("????", "open"),
            ("+????", "open"),
            ("+????+", "met"),
            ("?????", "unsure"),
        ] {
            assert_eq!(word(text, 4), expected, "{text}");
        }
        assert_eq!(word("?", 0), "unsure");
        assert_eq!(word("+", 0), "open");
        let tried = votes("+?-+").tried(10.0);
        assert_eq!((tried.passed, tried.windows, tried.disturbed), (2, 3, 1));
        assert_eq!(tried.value_us, 1.0);
    }
}
