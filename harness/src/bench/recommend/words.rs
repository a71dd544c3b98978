//! Verdicts as sentences.

use super::answer::Answer;
use super::judge::{Contest, Metric, Ruling, Unruled};
use crate::bench::axis::Dimension;
use crate::bench::knob::Knob;
use crate::stats::Interval;

/// A headline names so many classes at most.
const CLASSES_NAMED: usize = 4;

/// `payload 16 KiB, connections 50`.
pub(super) fn class(class: &[(&Dimension, usize)]) -> String {
    let settings = class.iter().map(|(axis, value)| axis.label(*value));
    let settings: Vec<String> = settings.collect();
    settings.join(", ")
}

/// `recv_buffer = 16384: +38 % [31, 44] throughput over 1024; larger gains nothing measurable; ...`
pub(super) fn recommended(
    axis: &Dimension,
    contest: &Contest<'_>,
    ruling: &Ruling,
    value: usize,
    gain: Interval,
) -> String {
    let mut sentence = format!(
        "{} = {}: {} over {}",
        axis.knob.short(),
        axis.values[value].text,
        change(contest.metric, gain),
        baseline(axis, ruling.baseline)
    );
    let at = contest.order.iter().position(|place| *place == value);
    let at = at.unwrap_or(0);
    if axis.is_numeric() {
        sentence.push_str(match contest.order.len() - at {
            1 => "; nothing larger was measured",
            _ => "; larger gains nothing measurable",
        });
    }
    sentence.push_str(&unsure(axis, contest, ruling.best, value));
    let below = at.checked_sub(1).map(|below| contest.order[below]);
    if let (Some(bytes), Some(below)) = (contest.message_bytes(), below)
        && let Some(reads) = reads(axis, bytes, below, value)
    {
        sentence.push_str(&reads);
    }
    sentence + limit(contest)
}

/// A value that may be better still, where rounds differ too much to say so.
fn unsure(axis: &Dimension, contest: &Contest<'_>, best: usize, value: usize) -> String {
    contest
        .gain(best, value)
        .filter(|gain| best != value && gain.estimate > super::MARGIN.ln_1p())
        .map_or_else(String::new, |gain| {
            let best = &axis.values[best].text;
            format!(
                " ({best}: {}, not sure enough)",
                change(contest.metric, gain)
            )
        })
}

/// A value that holds with segments of every size.
pub(super) fn recommended_for_all(
    axis: &Dimension,
    rulings: &[(&str, &Contest<'_>, Ruling)],
    value: usize,
) -> String {
    let gains = rulings.iter().filter_map(|(mss, contest, ruling)| {
        let gain = ruling.gain_of(value)?;
        Some(format!(
            "{} {}",
            change(contest.metric, gain),
            segments(mss)
        ))
    });
    let gains: Vec<String> = gains.collect();
    format!(
        "{} = {}: over {} {}",
        axis.knob.short(),
        axis.values[value].text,
        baseline(axis, rulings[0].2.baseline),
        gains.join(", ")
    )
}

/// No value holds with segments of every size.
pub(super) fn not_for_all(axis: &Dimension, rulings: &[(&str, &Contest<'_>, Ruling)]) -> String {
    let over = baseline(axis, rulings[0].2.baseline);
    let gains = rulings.iter().filter_map(|(mss, contest, ruling)| {
        let (value, gain) = ruling.recommendable().next()?;
        Some(format!(
            "only {}: {} ({})",
            segments(mss),
            axis.values[value].text,
            change(contest.metric, gain)
        ))
    });
    let gains: Vec<String> = gains.collect();
    let name = axis.knob.short();
    match gains.as_slice() {
        [] => format!("no value of {name} is measurably better than {over}"),
        _ => format!(
            "no value of {name} is better than {over} whatever the segments; {}",
            gains.join("; ")
        ),
    }
}

pub(super) fn nothing_better(axis: &Dimension, contest: &Contest<'_>, over: usize) -> String {
    format!(
        "no value of {} is measurably better than {}{}",
        axis.knob.short(),
        baseline(axis, over),
        limit(contest)
    )
}

pub(super) fn unruled(axis: &Dimension, contest: &Contest<'_>, why: Unruled) -> String {
    let name = axis.knob.short();
    let sentence = match why {
        Unruled::NoChoice => {
            format!("{name}: fewer than two values could be measured and compared")
        }
        Unruled::TooFewRounds => format!(
            "{name}: no two values were valid in {} rounds alike, which it takes to tell them apart",
            super::PAIRS_LEAST
        ),
    };
    match contest.troubles().as_slice() {
        [] => sentence,
        troubles => format!("{sentence} ({})", troubles.join(", ")),
    }
}

/// The machine kept values from being compared that may be the best.
pub(super) fn undecided(axis: &Dimension, contest: &Contest<'_>, ruling: &Ruling) -> String {
    let troubles = match contest.troubles().as_slice() {
        [] => String::new(),
        troubles => format!(" ({})", troubles.join(", ")),
    };
    let best = match ruling.recommendable().next() {
        Some((value, gain)) => format!(
            "of the others {} is best: {} over {}",
            axis.values[value].text,
            change(contest.metric, gain),
            baseline(axis, ruling.baseline)
        ),
        None => format!(
            "of the others none is better than {}",
            baseline(axis, ruling.baseline)
        ),
    };
    format!(
        "{} is undecided: {} of {} values could not be compared{troubles}; {best}",
        axis.knob.short(),
        ruling.left_out.len(),
        axis.values.len()
    )
}

/// What the segments of that axis's value are.
pub(super) fn segments(mss: &str) -> String {
    match mss {
        "0" => "with the path's own segments".to_owned(),
        mss => format!("with MSS {mss}"),
    }
}

/// One line for the axis, over all classes.
pub(super) fn headline(axis: &Dimension, answers: &[Answer]) -> String {
    let name = axis.knob.short();
    if let [only] = answers {
        return only.verdict.sentence.clone();
    }
    let chosen: Vec<usize> = answers.iter().filter_map(|answer| answer.chosen).collect();
    let judged = answers
        .iter()
        .filter(|answer| answer.as_good.is_some())
        .count();
    let each = by_class(axis, answers);
    match (chosen.len(), judged) {
        // All are alike: the first says why.
        (_, 0) => return answers[0].verdict.sentence.clone(),
        (_, judged) if judged < answers.len() => return format!("{name}: {each}"),
        (0, _) => {
            let baseline = &answers[0].verdict.baseline;
            return format!("no value of {name} is measurably better than {baseline}");
        }
        _ => {}
    }
    let as_good_everywhere = |value: &usize| {
        let mut judged = answers.iter().filter_map(|answer| answer.as_good.as_ref());
        judged.all(|as_good| as_good.contains(value))
    };
    let mut for_all: Vec<usize> = chosen.iter().copied().filter(as_good_everywhere).collect();
    if axis.is_numeric() {
        for_all.sort_by_key(|value| axis.values[*value].number);
    }
    match for_all.first() {
        Some(value) if answers.iter().all(|answer| answer.chosen == Some(*value)) => {
            format!(
                "{name} = {} is best in every class",
                axis.values[*value].text
            )
        }
        Some(value) => format!(
            "{name} = {} for all: nothing measured is measurably better in any class ({each})",
            axis.values[*value].text
        ),
        None => format!("{name}: no single value is best; {each}"),
    }
}

/// What suffices where.
fn by_class(axis: &Dimension, answers: &[Answer]) -> String {
    let part = |answer: &Answer| {
        let value = answer.chosen.map(|value| axis.values[value].text.as_str());
        let value = match answer.as_good {
            Some(_) => value.unwrap_or(&answer.verdict.baseline),
            None => "undecided",
        };
        format!("{value} for {}", answer.class)
    };
    let mut parts: Vec<String> = answers.iter().map(part).collect();
    let more = parts.len().saturating_sub(CLASSES_NAMED);
    parts.truncate(CLASSES_NAMED);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

fn baseline(axis: &Dimension, value: usize) -> String {
    let text = &axis.values[value].text;
    match axis.knob {
        Knob::ClientRcvbuf | Knob::ClientSndbuf if text == "0" => {
            "the kernel's own choice (0)".to_owned()
        }
        _ => text.clone(),
    }
}

/// How many reads a message takes, where the axis sets how much one takes.
fn reads(axis: &Dimension, message_bytes: usize, below: usize, value: usize) -> Option<String> {
    let reads = |value: usize| {
        let bytes = usize::try_from(axis.values[value].number?).ok()?;
        (bytes > 0).then(|| message_bytes.div_ceil(bytes))
    };
    let (more, fewer) = (reads(below)?, reads(value)?);
    (axis.knob.is_read_size() && more > fewer).then(|| {
        format!("; below it the server makes {more} reads a message of {message_bytes} bytes, with it {fewer}")
    })
}

fn limit(contest: &Contest<'_>) -> &'static str {
    if contest.is_blind {
        return "; we were the limit and the server's CPU time cannot be seen: it may be able to do more";
    }
    match contest.metric {
        Metric::Throughput => "",
        Metric::ServerCpu => "; we were the limit, so the server's CPU time decides",
    }
}

/// `+38 % [31, 44] throughput`.
fn change(metric: Metric, gain: Interval) -> String {
    let percent = metric.change_percent(gain);
    let digits = usize::from(percent.estimate.abs() < 10.0);
    let what = match metric {
        Metric::Throughput => "throughput",
        Metric::ServerCpu => "server CPU an operation",
    };
    format!(
        "{:+.digits$} % [{:.digits$}, {:.digits$}] {what}",
        percent.estimate, percent.low, percent.high
    )
}
