//! Who settles a finding. Pure.
//!
//! The first claim of a finding is the file `ID.1.claim`. If its holder has vanished, or could not settle it, the next member
//! creates `ID.2.claim`, and so on: a claim is never removed, so no two members can hold the same one.

use std::collections::BTreeMap;

/// The ending of a claim. It is none of a case file, so that the whole folder can be replayed.
const CLAIM: &str = ".claim";
/// The endings of the files that end a claim: the cases did not show the bug again, or there was no time.
const TRIED: &str = ".tried";
const LEFT: &str = ".left";
pub(super) const ENDINGS: [&str; 3] = [CLAIM, TRIED, LEFT];

/// How a claim ended without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimEnd {
    /// Its cases did not show the bug again: others of their own may.
    Tried,
    /// Its holder had no time: any member may go on with its cases.
    Left,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClaimName {
    /// The id of the finding.
    pub id: String,
    /// How many members have claimed it before, plus one.
    pub generation: u32,
}

impl ClaimName {
    /// The file of the claim.
    pub(super) fn file(&self) -> String {
        format!("{}.{}{CLAIM}", self.id, self.generation)
    }

    /// The file that ends the claim.
    pub(super) fn mark(&self, end: ClaimEnd) -> String {
        let ending = match end {
            ClaimEnd::Tried => TRIED,
            ClaimEnd::Left => LEFT,
        };
        format!("{}.{}{ending}", self.id, self.generation)
    }

    /// The claim that a file is about, and how it ended if the file says so.
    fn parse(file: &str) -> Option<(Self, Option<ClaimEnd>)> {
        let (stem, end) = [
            (CLAIM, None),
            (TRIED, Some(ClaimEnd::Tried)),
            (LEFT, Some(ClaimEnd::Left)),
        ]
        .into_iter()
        .find_map(|(ending, end)| Some((file.strip_suffix(ending)?, end)))?;
        let (id, generation) = stem.rsplit_once('.')?;
        let name = Self {
            id: id.to_owned(),
            generation: generation.parse().ok()?,
        };
        Some((name, end))
    }
}

/// The newest claim of each finding, and how it ended, of the names of all files of claims.
pub(super) fn newest(files: &[String]) -> BTreeMap<String, (ClaimName, Option<ClaimEnd>)> {
    let mut newest: BTreeMap<String, (ClaimName, Option<ClaimEnd>)> = BTreeMap::new();
    for (name, end) in files.iter().filter_map(|file| ClaimName::parse(file)) {
        match newest.get_mut(&name.id) {
            Some((known, known_end)) if known.generation == name.generation => {
                *known_end = known_end.or(end);
            }
            Some((known, _)) if known.generation > name.generation => {}
            _ => {
                newest.insert(name.id.clone(), (name, end));
            }
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_claim_and_its_end_count() {
        let files = [
            "crash-1.1.claim",
            "crash-1.1.left",
            "crash-1.10.tried",
            "crash-1.10.claim",
            "crash-1.2.claim",
            "leak-2.1.claim",
            "x.claim",
            "y",
        ];
        let newest = newest(&files.map(str::to_owned));
        let known = |id: &str| newest.get(id).map(|(name, end)| (name.generation, *end));
        assert_eq!(known("crash-1"), Some((10, Some(ClaimEnd::Tried))));
        assert_eq!(known("leak-2"), Some((1, None)));
        assert_eq!(newest.len(), 2);
        for end in [ClaimEnd::Tried, ClaimEnd::Left] {
            let name = newest["leak-2"].0.clone();
            assert_eq!(ClaimName::parse(&name.mark(end)), Some((name, Some(end))));
        }
    }
}
