//! Who did what when on the connections of a check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Actor {
    /// The client, on a connection.
    Client,
    /// The server, on a connection.
    Server,
    /// The check, beside the connections: a signal, a start, a wait.
    Check,
}

/// One step.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Action {
    /// Milliseconds since the check began.
    pub at_ms: f64,
    /// The number of the connection, starting at 1; 0 if it concerns none.
    pub connection: u32,
    /// Who took it.
    pub by: Actor,
    /// What was done.
    pub what: String,
    /// How often in a row; the connection is the first one.
    pub times: u32,
}

impl Action {
    /// What was done, and how often.
    pub(crate) fn phrase(&self) -> String {
        match self.times {
            0 | 1 => self.what.clone(),
            times => format!("{} ({times} times)", self.what),
        }
    }
}

/// The steps of one check, as they are reported.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Actions {
    /// The first ones.
    pub first: Vec<Action>,
    /// Number of steps between, which were not kept.
    pub left_out: u64,
    /// The last ones.
    pub last: Vec<Action>,
}

impl Actions {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// A line for each step; of many, the first ones, how many are left out, and the last ones, since what failed is at the end.
    pub(crate) fn lines(&self, first_max: usize, last_max: usize) -> Vec<String> {
        let line = |step: &Action| format!("#{} {}", step.connection, step.phrase());
        let kept: Vec<String> = self.first.iter().chain(&self.last).map(line).collect();
        if self.left_out == 0 && kept.len() <= first_max + last_max {
            return kept;
        }
        let from = kept
            .len()
            .saturating_sub(last_max)
            .max(self.first.len().min(first_max));
        let (begin, end) = (&kept[..first_max.min(from)], &kept[from..]);
        let left_out = self.left_out + (kept.len() - begin.len() - end.len()) as u64;
        let gap = format!("… {left_out} more steps");
        [begin, &[gap], end].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(first: usize, left_out: u64, last: usize) -> Actions {
        let step = |number: usize| Action {
            at_ms: 0.0,
            connection: 1,
            by: Actor::Client,
            what: number.to_string(),
            times: 1,
        };
        let from = first + left_out as usize;
        Actions {
            first: (0..first).map(step).collect(),
            left_out,
            last: (from..from + last).map(step).collect(),
        }
    }

    /// Of many steps the first ones and the last ones are shown, and all others are counted.
    #[test]
    fn lines_have_both_ends() {
        assert_eq!(steps(0, 0, 0).lines(2, 3), [""; 0]);
        assert_eq!(steps(5, 0, 0).lines(2, 3).len(), 5);
        for (first, left_out, last) in [(6, 0, 0), (24, 0, 1), (24, 0, 8), (24, 9, 8)] {
            let all = first + left_out as usize + last;
            let lines = steps(first, left_out, last).lines(2, 3);
            let gap = format!("… {} more steps", all - 5);
            let (one, two, three) = (all - 3, all - 2, all - 1);
            let expected = [
                "#1 0".to_owned(),
                "#1 1".to_owned(),
                gap,
                format!("#1 {one}"),
                format!("#1 {two}"),
                format!("#1 {three}"),
            ];
            assert_eq!(lines, expected, "{first} {left_out} {last}");
        }
    }
}
