//! Verdicts as sentences.

use super::judge::{Contest, DecidingMetric, MARGIN, PAIRS_LEAST, Ruling, Unruled};
use crate::bench::axis::Dimension;
use crate::bench::knob::Knob;
use crate::stats::Interval;

/// `payload 16 KiB, connections 50`.
pub(super) fn class(class: &[(&Dimension, usize)]) -> String {
    let settings = class.iter().map(|(axis, value)| axis.label(*value));
    let settings: Vec<String> = settings.collect();
    settings.join(", ")
}

/// `recv_buffer = 16384: +38 % [31, 44] throughput over 1024; larger values gain nothing measurable; ...`
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
            _ => "; larger values gain nothing measurable",
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

/// Mentions a value that may be better, but not with enough confidence.
fn unsure(axis: &Dimension, contest: &Contest<'_>, best: usize, value: usize) -> String {
    contest
        .gain(best, value)
        .filter(|gain| best != value && gain.estimate > MARGIN.ln_1p())
        .map_or_else(String::new, |gain| {
            let best = &axis.values[best].text;
            format!(
                " ({best}: {}, but not significant)",
                change(contest.metric, gain)
            )
        })
}

/// The sentence for a value that holds for every segment size.
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

/// The sentence if no value holds for every segment size.
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
            "no value of {name} is better than {over} for every segment size; {}",
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
            "{name}: no two values were both valid in {} rounds, the minimum for a comparison",
            PAIRS_LEAST
        ),
    };
    match contest.troubles().as_slice() {
        [] => sentence,
        troubles => format!("{sentence} ({})", troubles.join(", ")),
    }
}

/// The sentence if disturbances left out values that may be the best.
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

/// A segment size in words.
pub(super) fn segments(mss: &str) -> String {
    match mss {
        "0" => "with the default segment size".to_owned(),
        mss => format!("with MSS {mss}"),
    }
}

fn baseline(axis: &Dimension, value: usize) -> String {
    let text = &axis.values[value].text;
    match axis.knob {
        Knob::ClientRcvbuf | Knob::ClientSndbuf if text == "0" => {
            "the kernel's default (0)".to_owned()
        }
        _ => text.clone(),
    }
}

/// The number of reads per message, if the axis sets the size of a read.
fn reads(axis: &Dimension, message_bytes: usize, below: usize, value: usize) -> Option<String> {
    let reads = |value: usize| {
        let bytes = usize::try_from(axis.values[value].number?).ok()?;
        (bytes > 0).then(|| message_bytes.div_ceil(bytes))
    };
    let (more, fewer) = (reads(below)?, reads(value)?);
    (axis.knob.is_read_size() && more > fewer).then(|| {
        format!("; the next smaller value takes {more} reads per message of {message_bytes} bytes, this one {fewer}")
    })
}

fn limit(contest: &Contest<'_>) -> &'static str {
    if contest.is_blind {
        return "; the client was the limit and the server's CPU time is unknown: the server may be able to do more";
    }
    match contest.metric {
        DecidingMetric::Throughput => "",
        DecidingMetric::ServerCpu => "; the client was the limit, so the server's CPU time decides",
    }
}

/// `+38 % [31, 44] throughput`.
fn change(metric: DecidingMetric, gain: Interval) -> String {
    let percent = metric.change_percent(gain);
    let digits = usize::from(percent.estimate.abs() < 10.0);
    let what = match metric {
        DecidingMetric::Throughput => "throughput",
        DecidingMetric::ServerCpu => "server CPU per operation",
    };
    format!(
        "{:+.digits$} % [{:.digits$}, {:.digits$}] {what}",
        percent.estimate, percent.low, percent.high
    )
}
