//! Whether replies wait for delayed acknowledgements, judged by their times.

use std::ops::RangeInclusive;

/// Range of a delay, in milliseconds, that a delayed acknowledgement explains. Linux delays by 40
/// to 200 ms.
const HELD_MS: RangeInclusive<f64> = 30.0..=250.0;

/// What times of replies show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Replies do not wait for acknowledgements.
    Prompt,
    /// This number of replies waited for an acknowledgement.
    Held(usize),
    /// Replies vary by as much for another reason.
    Unsteady,
}

/// Judges the times, in milliseconds, of replies whose acknowledgements were delayed, and of others that were acknowledged
/// immediately. Without the latter, [`Judged::Held`] only means that they must be measured.
pub(super) fn judge(delayed: &[f64], prompt: Option<&[f64]>) -> Judged {
    let base = prompt.map_or(0.0, median);
    let held = count(delayed, base);
    if held * 2 < delayed.len() {
        return Judged::Prompt;
    }
    match prompt {
        Some(prompt) if count(prompt, base) * 4 > prompt.len() => Judged::Unsteady,
        _ => Judged::Held(held),
    }
}

/// Number of times that exceed `base` as a delayed acknowledgement explains.
fn count(times: &[f64], base: f64) -> usize {
    let is_held = |took: &&f64| HELD_MS.contains(&(**took - base));
    times.iter().filter(is_held).count()
}

pub(super) fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

pub(super) fn rounded(times: &[f64]) -> Vec<f64> {
    times
        .iter()
        .map(|took| (took * 10.0).round() / 10.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_acknowledgements_explain_is_held() {
        let fast = [0.1; 10];
        let held = [41.0; 10];
        let slow = [100.0; 10];
        assert_eq!(judge(&fast, None), Judged::Prompt);
        assert_eq!(judge(&held, None), Judged::Held(10));
        assert_eq!(judge(&held, Some(&fast)), Judged::Held(10));
        // The server takes that long by itself.
        assert_eq!(judge(&held, Some(&held)), Judged::Prompt);
        assert_eq!(judge(&[141.0; 10], Some(&slow)), Judged::Held(10));
        assert_eq!(judge(&slow, Some(&slow)), Judged::Prompt);
        let mixed: Vec<f64> = fast.into_iter().chain(slow).collect();
        assert_eq!(judge(&mixed, Some(&fast)), Judged::Held(10));
        let unsteady: Vec<f64> = [0.0, 0.0, 41.0].repeat(5);
        assert_eq!(judge(&held, Some(&unsteady)), Judged::Unsteady);
    }
}
