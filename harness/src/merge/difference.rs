//! Where two plans differ.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::text::escape_text;

/// Differences that are told.
const DIFFERENCES_MAX: usize = 8;
/// Characters of a value that are shown.
const SHOWN: usize = 120;

/// A value that is not the same in two plans.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The keys that lead to it, joined by dots.
    pub place: String,
    pub one: String,
    pub other: String,
}

/// The innermost values that differ, in the order of their places.
pub(super) fn between(one: &Value, other: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    collect("", one, other, &mut found);
    found.truncate(DIFFERENCES_MAX);
    found
}

/// The differences as lines, each after a line break.
pub(super) fn lines(differences: &[Difference]) -> String {
    let lines = differences
        .iter()
        .map(|differ| format!("\n  {}: {}, and {}", differ.place, differ.one, differ.other));
    lines.collect()
}

/// A plan without these keys, in which reports may differ.
pub(super) fn without(plan: &Value, keys: &[&str]) -> Value {
    let mut plan = plan.clone();
    if let Some(plan) = plan.as_object_mut() {
        keys.iter().for_each(|key| drop(plan.remove(*key)));
    }
    plan
}

fn collect(place: &str, one: &Value, other: &Value, found: &mut Vec<Difference>) {
    if one == other {
        return;
    }
    if let (Value::Object(here), Value::Object(there)) = (one, other) {
        let keys: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        for key in keys {
            let place = match place {
                "" => key.clone(),
                place => format!("{place}.{key}"),
            };
            let value =
                |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or_default();
            collect(&place, &value(here), &value(there), found);
        }
        return;
    }
    if let (Value::Array(here), Value::Array(there)) = (one, other)
        && here.len() == there.len()
    {
        for (number, (one, other)) in here.iter().zip(there).enumerate() {
            collect(&format!("{place}[{number}]"), one, other, found);
        }
        return;
    }
    found.push(Difference {
        place: place.to_owned(),
        one: shown(one),
        other: shown(other),
    });
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        value => escape_text(&value.to_string(), SHOWN),
    }
}
