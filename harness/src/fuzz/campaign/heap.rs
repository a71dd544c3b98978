//! Findings that are reports of a damaged heap: which report it is says little about the bug.

use crate::fuzz::symptom::{FindingKind, Symptom, evidence_lines};

/// How the reports of the C libraries' allocators begin (those of glibc; musl ends the process without one).
const REPORTS: [&str; 14] = [
    "malloc(): ",
    "free(): ",
    "calloc(): ",
    "realloc(): ",
    "memalign(): ",
    "double free or corruption",
    "corrupted size vs. prev_size",
    "corrupted double-linked list",
    "corrupted unsorted chunks",
    "malloc_consolidate(): ",
    "munmap_chunk(): ",
    "mremap_chunk(): ",
    "break adjusted to free malloc space",
    "Fatal glibc error: malloc",
];
/// Maximum number of findings named.
const NAMED_MAX: usize = 8;

/// Says of several reports of a damaged heap that they may be one bug. Each finding is its id, the bytes of its cases and its
/// symptom.
pub(super) fn explained<'a>(
    findings: impl Iterator<Item = (&'a str, usize, &'a Symptom)>,
) -> Option<String> {
    let reports: Vec<(&str, usize)> = findings
        .filter(|(_, _, symptom)| is_report(symptom))
        .map(|(id, bytes, _)| (id, bytes))
        .collect();
    let (shortest, _) = reports.iter().min_by_key(|(_, bytes)| *bytes)?;
    if reports.len() < 2 {
        return None;
    }
    let mut named: Vec<&str> = reports.iter().map(|(id, _)| *id).take(NAMED_MAX).collect();
    if reports.len() > NAMED_MAX {
        named.push("…");
    }
    Some(format!(
        "{} findings ({}) are reports of a damaged heap. Which report it is depends on what lies beside the damage, so they may be \
         one bug. Begin with the shortest, {shortest}; of a server built with -g -fsanitize=address, `tcprove replay` shows the \
         line that writes",
        reports.len(),
        named.join(", "),
    ))
}

fn is_report(symptom: &Symptom) -> bool {
    let printed = symptom.evidence.get("stderr").and_then(evidence_lines);
    let begins = |line: &&str| REPORTS.iter().any(|report| line.starts_with(report));
    symptom.kind == FindingKind::Crash && printed.is_some_and(|lines| lines.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(stderr: &[&str]) -> Symptom {
        Symptom::new(
            FindingKind::Crash,
            "6",
            "the server was killed by SIGABRT (6)",
        )
        .with("stderr", stderr.to_vec())
    }

    #[test]
    fn reports_of_a_damaged_heap_may_be_one_bug() {
        let (free, size) = (
            crash(&["ready", "free(): invalid pointer"]),
            crash(&["malloc(): corrupted top size"]),
        );
        let (other, panic) = (
            crash(&["server: server.c:12: serve: Assertion `free(): x' failed."]),
            Symptom::new(FindingKind::Panic, "free", "free(): invalid pointer")
                .with("stderr", vec!["free(): invalid pointer"]),
        );
        let all = [
            ("a", 9, &free),
            ("b", 4, &size),
            ("c", 1, &other),
            ("d", 1, &panic),
        ];
        let note = explained(all.into_iter()).unwrap();
        assert!(note.starts_with("2 findings (a, b) are reports"), "{note}");
        assert!(note.contains("the shortest, b;"), "{note}");
        assert_eq!(explained(all[1..].iter().copied()), None);
    }
}
