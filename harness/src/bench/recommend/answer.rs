//! From what was compared to a verdict.

use super::judge::{Contest, Ruling, Unruled};
use super::words;
use crate::bench::axis::Dimension;
use crate::bench::result::Verdict;

/// A verdict, and what the headline needs besides.
#[derive(Debug)]
pub(super) struct Answer {
    pub verdict: Verdict,
    /// The class in words; empty where there is only one.
    pub class: String,
    /// The value that is recommended.
    pub chosen: Option<usize>,
    /// Values that nothing is measurably better than; `None` where nothing could be compared.
    pub as_good: Option<Vec<usize>>,
}

/// The settings of the other axes.
type Class<'a> = [(&'a Dimension, usize)];

/// The smallest value that is better than the baseline and no worse than the best.
pub(super) fn plain(axis: &Dimension, class: &Class<'_>, contest: &Contest<'_>) -> Answer {
    let ruling = match contest.rule() {
        Ok(ruling) => ruling,
        Err(why) => return unruled(axis, class, contest, why, ""),
    };
    let chosen = ruling.recommendable().next();
    let so_far = chosen.map_or(ruling.baseline, |(value, _)| value);
    if ruling.may_hide_better(axis, so_far) {
        return undecided(axis, class, contest, &ruling, "");
    }
    let sentence = match chosen {
        Some((value, gain)) => words::recommended(axis, contest, &ruling, value, gain),
        None => words::nothing_better(axis, contest, ruling.baseline),
    };
    Answer {
        verdict: Verdict {
            value: chosen.map(|(value, _)| axis.values[value].text.clone()),
            change_percent: chosen.map(|(_, gain)| contest.metric.change_percent(gain)),
            ..verdict(axis, class, contest, ruling.baseline, &sentence)
        },
        class: words::class(class),
        chosen: chosen.map(|(value, _)| value),
        as_good: Some(ruling.as_good),
    }
}

/// The same with segments of several sizes: a value has to be recommendable with each of them. The change
/// that is reported is the one with the first.
pub(super) fn for_all_segments(
    axis: &Dimension,
    class: &Class<'_>,
    contests: &[(&str, Contest<'_>)],
) -> Answer {
    let [(first_mss, first), others @ ..] = contests else {
        unreachable!("an axis has at least one value")
    };
    if others.is_empty() {
        let mut answer = plain(axis, class, first);
        let sentence = &mut answer.verdict.sentence;
        sentence.push_str(&format!("; measured {} only", words::segments(first_mss)));
        return answer;
    }
    let mut rulings: Vec<(&str, &Contest<'_>, Ruling)> = Vec::new();
    for (mss, contest) in contests {
        match contest.rule() {
            Ok(ruling) => rulings.push((mss, contest, ruling)),
            Err(why) => {
                let which = format!(" ({})", words::segments(mss));
                return unruled(axis, class, contest, why, &which);
            }
        }
    }
    for (mss, contest, ruling) in &rulings {
        if ruling.may_hide_better(axis, ruling.baseline) {
            let which = format!(" ({})", words::segments(mss));
            return undecided(axis, class, contest, ruling, &which);
        }
    }
    let (_, first, ruling) = &rulings[0];
    let holds = |value: usize| {
        rulings.iter().all(|(_, _, other)| {
            other.baseline == ruling.baseline
                && other.recommendable().any(|(place, _)| place == value)
        })
    };
    let chosen = ruling.recommendable().find(|(value, _)| holds(*value));
    let as_good = |value: &usize| {
        rulings
            .iter()
            .all(|(_, _, ruling)| ruling.as_good.contains(value))
    };
    let sentence = match chosen {
        Some((value, _)) => words::recommended_for_all(axis, &rulings, value),
        None => words::not_for_all(axis, &rulings),
    };
    Answer {
        verdict: Verdict {
            value: chosen.map(|(value, _)| axis.values[value].text.clone()),
            change_percent: chosen.map(|(_, gain)| first.metric.change_percent(gain)),
            ..verdict(axis, class, first, ruling.baseline, &sentence)
        },
        class: words::class(class),
        chosen: chosen.map(|(value, _)| value),
        as_good: Some(ruling.as_good.iter().copied().filter(as_good).collect()),
    }
}

fn undecided(
    axis: &Dimension,
    class: &Class<'_>,
    contest: &Contest<'_>,
    ruling: &Ruling,
    which: &str,
) -> Answer {
    let sentence = words::undecided(axis, contest, ruling) + which;
    Answer {
        verdict: verdict(axis, class, contest, ruling.baseline, &sentence),
        class: words::class(class),
        chosen: None,
        as_good: None,
    }
}

fn unruled(
    axis: &Dimension,
    class: &Class<'_>,
    contest: &Contest<'_>,
    why: Unruled,
    which: &str,
) -> Answer {
    let sentence = words::unruled(axis, contest, why) + which;
    let baseline = contest.order.first().copied().unwrap_or(0);
    Answer {
        verdict: verdict(axis, class, contest, baseline, &sentence),
        class: words::class(class),
        chosen: None,
        as_good: None,
    }
}

/// One that recommends nothing.
fn verdict(
    axis: &Dimension,
    class: &Class<'_>,
    contest: &Contest<'_>,
    baseline: usize,
    sentence: &str,
) -> Verdict {
    let setting = |(axis, value): &(&Dimension, usize)| {
        (axis.knob.to_string(), axis.values[*value].text.clone())
    };
    let prefix = match class.is_empty() {
        true => String::new(),
        false => words::class(class) + ": ",
    };
    Verdict {
        axis: axis.knob.to_string(),
        class: class.iter().map(setting).collect(),
        value: None,
        baseline: axis.values[baseline].text.clone(),
        metric: contest.metric.name(),
        change_percent: None,
        sentence: prefix + sentence,
    }
}
