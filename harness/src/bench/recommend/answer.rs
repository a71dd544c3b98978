//! The verdict on one axis in one class.

use super::judge::{Contest, Ruling, Unruled};
use super::words;
use crate::bench::axis::Dimension;
use crate::bench::result::AxisVerdict;

/// A verdict, and what the headline needs in addition.
#[derive(Debug)]
pub(super) struct ClassAnswer {
    pub verdict: AxisVerdict,
    /// The class in words; empty if there is only one.
    pub class: String,
    /// Index of the recommended value.
    pub chosen: Option<usize>,
    /// Indices of the values than which none is measurably better; `None` if nothing could be compared.
    pub as_good: Option<Vec<usize>>,
}

/// The settings of the other axes.
type Class<'a> = [(&'a Dimension, usize)];

/// Recommends the smallest value that is better than the baseline and no worse than the best.
pub(super) fn plain(axis: &Dimension, class: &Class<'_>, contest: &Contest<'_>) -> ClassAnswer {
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
    ClassAnswer {
        verdict: AxisVerdict {
            value: chosen.map(|(value, _)| axis.values[value].text.clone()),
            change_percent: chosen.map(|(_, gain)| contest.metric.change_percent(gain)),
            ..verdict(axis, class, contest, ruling.baseline, &sentence)
        },
        class: words::class(class),
        chosen: chosen.map(|(value, _)| value),
        as_good: Some(ruling.as_good),
    }
}

/// Recommends a value that is recommendable for every segment size. The reported change is that of the first
/// size.
pub(super) fn for_all_segments(
    axis: &Dimension,
    class: &Class<'_>,
    contests: &[(&str, Contest<'_>)],
) -> ClassAnswer {
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
    ClassAnswer {
        verdict: AxisVerdict {
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
) -> ClassAnswer {
    let sentence = words::undecided(axis, contest, ruling) + which;
    ClassAnswer {
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
) -> ClassAnswer {
    let sentence = words::unruled(axis, contest, why) + which;
    let baseline = contest.order.first().copied().unwrap_or(0);
    ClassAnswer {
        verdict: verdict(axis, class, contest, baseline, &sentence),
        class: words::class(class),
        chosen: None,
        as_good: None,
    }
}

/// A verdict without a recommendation.
fn verdict(
    axis: &Dimension,
    class: &Class<'_>,
    contest: &Contest<'_>,
    baseline: usize,
    sentence: &str,
) -> AxisVerdict {
    let setting = |(axis, value): &(&Dimension, usize)| {
        (axis.knob.to_string(), axis.values[*value].text.clone())
    };
    let prefix = if class.is_empty() {
        String::new()
    } else {
        words::class(class) + ": "
    };
    AxisVerdict {
        axis: axis.knob.to_string(),
        class: class.iter().map(setting).collect(),
        value: None,
        baseline: axis.values[baseline].text.clone(),
        metric: contest.metric.name(),
        change_percent: None,
        sentence: prefix + sentence,
    }
}
