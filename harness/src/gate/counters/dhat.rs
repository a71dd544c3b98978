//! Parser for the totals in the output of DHAT: JSON with one record per allocation site.
//!
//! Format version 2 is described in valgrind's sources, `dhat/dh_main.c`, "File format notes".

use serde::Deserialize;

/// The allocations of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Allocated blocks.
    pub(super) blocks: u64,
    /// Bytes in these blocks.
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
struct Whole {
    mode: String,
    pps: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    tb: u64,
    tbk: u64,
}

/// Parses the text of a file.
///
/// # Errors
/// What is missing or malformed, as a clause.
pub(super) fn parse(text: &str) -> Result<Totals, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let whole: Whole = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if whole.mode != "heap" {
        return Err(format!("its mode is {}, not heap", whole.mode));
    }
    let sum = |of: fn(&Point) -> u64| whole.pps.iter().map(of).sum();
    Ok(Totals {
        blocks: sum(|point| point.tbk),
        bytes: sum(|point| point.tb),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{"dhatFileVersion":2,"mode":"heap","verb":"Allocated","bklt":true,"bkacc":true,
        "bu":"byte","pid":7,"cmd":"./server","te":9,"tg":1,
        "pps":[{"tb":4096,"tbk":1,"fs":[1]},{"tb":96,"tbk":3,"fs":[1,2]}],"ftbl":["[root]","a","b"]}"#;

    #[test]
    fn places_are_added() {
        let totals = parse(TWO).unwrap();
        assert_eq!((totals.blocks, totals.bytes), (4, 4_192));
    }

    #[test]
    fn what_is_no_such_file_is_called_so() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(wrong(""), "it is empty");
        assert!(wrong(&TWO[..60]).contains("EOF"));
        assert!(wrong(&TWO.replace("heap", "copy")).contains("copy"));
        assert!(wrong(&TWO.replace("tbk", "x")).contains("tbk"));
        assert!(wrong(&TWO.replace("4096", "-1")).contains("-1"));
    }
}
