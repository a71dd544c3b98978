//! Assembles programs from named parts of a text file, so that a reproducer contains only what its finding needs.

/// The part with this name, without its title line.
///
/// # Panics
/// The name is unknown. A test generates all combinations of parts.
pub(super) fn part<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.split("%% ").find_map(|part| {
        let (title, body) = part.split_once('\n')?;
        (title == name).then_some(body)
    });
    found.unwrap_or_else(|| panic!("there is no part {name}"))
}

/// The text with each `@NAME@` replaced once. Placeholders in the values are not replaced.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let named = values.iter().find_map(|(name, value)| {
            let left = after[1..].strip_prefix(name)?.strip_prefix('@')?;
            Some((left, value))
        });
        match named {
            Some((left, value)) => {
                out.push_str(value);
                rest = left;
            }
            None => {
                out.push('@');
                rest = &after[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once() {
        let values = [("A", "@B@"), ("B", "x"), ("A-B", "y")];
        assert_eq!(fill("@A@ @B@ @A-B@ @C@ a@b", &values), "@B@ x y @C@ a@b");
    }

    #[test]
    fn parts_have_names() {
        assert_eq!(part("%% a\none\n%% b\ntwo\nthree\n", "b"), "two\nthree\n");
    }
}
