//! The answer for one axis over all classes, in one line.

use super::answer::ClassAnswer;
use crate::bench::axis::Dimension;

/// Maximum number of classes that a headline names.
const CLASSES_NAMED: usize = 4;

pub(super) fn headline(axis: &Dimension, answers: &[ClassAnswer]) -> String {
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
    if judged == 0 {
        // All classes have the same reason.
        return answers[0].verdict.sentence.clone();
    }
    if judged < answers.len() {
        return format!("{name}: {each}");
    }
    if chosen.is_empty() {
        let baseline = &answers[0].verdict.baseline;
        return format!("no value of {name} is measurably better than {baseline}");
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
            "{name} = {} suits every class: no value is measurably better in any of them ({each})",
            axis.values[*value].text
        ),
        None => format!("{name}: no single value is best; {each}"),
    }
}

/// The value of each class.
fn by_class(axis: &Dimension, answers: &[ClassAnswer]) -> String {
    let part = |answer: &ClassAnswer| {
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
