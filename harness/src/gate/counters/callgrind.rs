//! Parser for the totals in the output of callgrind.
//!
//! The format: Valgrind User Manual, "Callgrind Format Specification". An `events:` line names the columns;
//! a `totals:` line has the sums, without trailing zeros. A file may have several parts.

/// The totals of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// The tool, such as `callgrind-3.19.0`; empty if the file does not name it.
    pub(super) creator: String,
    /// Instructions.
    pub(super) instructions: u64,
    /// System calls that have returned.
    pub(super) syscalls: u64,
}

/// Parses the text of a file.
///
/// # Errors
/// What is missing or malformed, as a clause.
pub(super) fn parse(text: &str) -> Result<Totals, String> {
    let mut totals = Totals::default();
    let mut columns: Option<[usize; 2]> = None;
    let mut parts = 0;
    for line in text.lines() {
        if let Some(creator) = line.strip_prefix("creator:") {
            creator.trim().clone_into(&mut totals.creator);
        } else if let Some(events) = line.strip_prefix("events:") {
            columns = Some([column(events, "Ir")?, column(events, "sysCount")?]);
        } else if let Some(sums) = line.strip_prefix("totals:") {
            let columns = columns.ok_or("its totals come without a line of events before them")?;
            let [instructions, syscalls] = [number(sums, columns[0])?, number(sums, columns[1])?];
            totals.instructions += instructions;
            totals.syscalls += syscalls;
            parts += 1;
        }
    }
    if text.is_empty() {
        Err("it is empty".to_owned())
    } else if parts == 0 {
        Err("it has no line of totals".to_owned())
    } else {
        Ok(totals)
    }
}

fn column(events: &str, name: &str) -> Result<usize, String> {
    let place = events.split_whitespace().position(|event| event == name);
    place.ok_or_else(|| format!("it does not contain the event {name}"))
}

fn number(sums: &str, column: usize) -> Result<u64, String> {
    match sums.split_whitespace().nth(column) {
        None => Ok(0),
        Some(word) => word
            .parse()
            .map_err(|_| format!("`{word}` is not a number of events")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  ./server 1\npart: 1\n\n\ndesc: I1 cache: \n\ndesc: Trigger: Program termination\n\npositions: line\nevent: sysTime : sysTime (elapsed ms)\nevents: Ir sysCount sysTime\nsummary: 82 3 42\n\n\nob=(5) ./server\nfl=(139) ???\nfn=(502) (below main)\ncfn=(504) totals: of nothing\ncalls=1 242 \n0 82 3 42\n\ntotals: 4114971 10165 2\n";

    #[test]
    fn totals_of_a_file() {
        let totals = parse(ONE).unwrap();
        assert_eq!(totals.creator, "callgrind-3.19.0");
        assert_eq!((totals.instructions, totals.syscalls), (4_114_971, 10_165));
    }

    #[test]
    fn parts_are_added_and_zeros_at_the_end_are_left_out() {
        let short = ONE.replace("totals: 4114971 10165 2", "totals: 42");
        assert_eq!(parse(&short).unwrap().syscalls, 0);
        let both = parse(&format!("{ONE}{short}")).unwrap();
        assert_eq!((both.instructions, both.syscalls), (4_115_013, 10_165));
    }

    #[test]
    fn columns_go_by_their_names() {
        let turned = ONE.replace("events: Ir sysCount sysTime", "events: sysCount Ir");
        let totals = parse(&turned).unwrap();
        assert_eq!((totals.instructions, totals.syscalls), (10_165, 4_114_971));
    }

    #[test]
    fn what_is_no_such_file_is_called_so() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(wrong(""), "it is empty");
        assert_eq!(wrong("# callgrind format\n"), "it has no line of totals");
        let cut = &ONE[..ONE.find("\ntotals: 4").unwrap()];
        assert_eq!(wrong(cut), "it has no line of totals");
        assert!(wrong(&ONE.replace("sysCount", "Bc")).contains("sysCount"));
        assert!(wrong(&ONE.replace("totals: 4114971", "totals: 4x")).contains("`4x`"));
        assert!(wrong(&ONE.replace("events:", "event:")).contains("without"));
    }
}
