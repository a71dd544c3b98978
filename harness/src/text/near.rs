//! Suggestions for misspelled names.

/// The candidate most similar to `name`, if it is similar enough to suggest.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let distance = |candidate| match abbreviates(candidate, name) {
        true => 1,
        false => strsim::damerau_levenshtein(name, candidate),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Minimum number of letters of an abbreviation.
const ABBREVIATION_MIN: usize = 3;

/// Whether `short` is made of letters of `name` in their order, the first and the last among them, as `cmd` is of "command".
fn abbreviates(short: &str, name: &str) -> bool {
    let mut letters = name.chars();
    short.len() >= ABBREVIATION_MIN
        && short.chars().next() == name.chars().next()
        && short.chars().last() == name.chars().last()
        && short
            .chars()
            .all(|letter| letters.any(|other| other == letter))
}

/// ": did you mean `expect`?" to follow a sentence about `name`; empty if no candidate is similar enough.
pub(crate) fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or(String::new(), |near| format!(": did you mean `{near}`?"))
}

/// "did you mean `expect`?", or the whole list if no candidate is similar.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(name, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = candidates
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect();
    (!all.is_empty()).then(|| format!("known names: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let keys = ["send", "expect", "frame"];
        assert_eq!(nearest("expct", keys), Some("expect"));
        assert_eq!(nearest("sned", keys), Some("send"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("comand", ["name", "cmd", "cwd"]), Some("cmd"));
        assert_eq!(suggestion("sned", keys), ": did you mean `send`?");
        assert_eq!(suggestion("colour", keys), "");
        assert_eq!(
            did_you_mean("colour", keys).as_deref(),
            Some("known names: `send`, `expect`, `frame`")
        );
    }
}
