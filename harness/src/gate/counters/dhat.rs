//! Parser for the output of DHAT: JSON with one record per allocation site.
//!
//! Format version 2 is described in valgrind's sources, `dhat/dh_main.c`, "File format notes".

use std::collections::HashSet;

use serde::Deserialize;

use super::graph::{Function, Graph};

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
    #[serde(default)]
    ftbl: Vec<String>,
}

#[derive(Deserialize)]
struct Point {
    tb: u64,
    tbk: u64,
    /// The frames by number, the allocating one first.
    #[serde(default)]
    fs: Vec<usize>,
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

/// The blocks and bytes that each function allocates, and through which calls. What cannot be read is left out: it is no part of a
/// verdict.
pub(super) fn sites(text: &str) -> Graph {
    let mut graph = Graph::default();
    let Ok(whole) = serde_json::from_str::<Whole>(text) else {
        return graph;
    };
    for point in &whole.pps {
        let cost = [point.tbk as f64, point.tb as f64];
        let frames = point
            .fs
            .iter()
            .filter_map(|frame| function(whole.ftbl.get(*frame)?));
        let frames: Vec<Function> = frames.collect();
        let Some(first) = frames.first() else {
            continue;
        };
        let mut site = Graph::default();
        site.own.insert(first.clone(), cost);
        // Of a function that calls itself, each call has the cost once.
        let calls = frames
            .windows(2)
            .map(|pair| (pair[1].clone(), pair[0].clone()));
        site.calls = calls
            .collect::<HashSet<_>>()
            .into_iter()
            .map(|call| (call, cost))
            .collect();
        for function in frames {
            site.own.entry(function).or_default();
        }
        graph.add(site);
    }
    graph
}

/// `0x10927A: remember (server.c:34)`, or `0x4846828: malloc (in /usr/lib/preload.so)`. `None` for the root of all.
fn function(frame: &str) -> Option<Function> {
    let (_, frame) = frame.split_once(": ")?;
    let (name, place) = frame.rsplit_once(" (").unwrap_or((frame, ""));
    let place = place.trim_end_matches(')');
    let object = match place.strip_prefix("in ") {
        Some(object) => object,
        // With its line a function tells its source file instead.
        None => place.split(':').next().unwrap_or_default(),
    };
    Some(Function {
        object: object.to_owned(),
        name: if name == "???" {
            String::new()
        } else {
            name.to_owned()
        },
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
    fn sites_are_functions_and_calls() {
        let text = r#"{"mode":"heap","pps":[{"tb":64,"tbk":4,"fs":[1,2,3]},{"tb":8,"tbk":1,"fs":[1,3,3]},{"tb":1,"tbk":1,"fs":[0]}],
            "ftbl":["[root]","0x48: malloc (in /usr/lib/preload.so)","0x10: remember (server.c:34)","0x20: operator() (a.cc:1) (in /srv/server)"]}"#;
        let graph = sites(text);
        let named = |name: &str, object: &str| Function {
            object: object.into(),
            name: name.into(),
        };
        let malloc = named("malloc", "/usr/lib/preload.so");
        let remember = named("remember", "server.c");
        let lambda = named("operator() (a.cc:1)", "/srv/server");
        assert_eq!(graph.own[&malloc], [5.0, 72.0]);
        assert_eq!((graph.own[&remember], graph.own.len()), ([0.0, 0.0], 3));
        assert_eq!(
            graph.calls[&(remember.clone(), malloc.clone())],
            [4.0, 64.0]
        );
        assert_eq!(graph.calls[&(lambda.clone(), malloc)], [1.0, 8.0]);
        assert_eq!(graph.calls[&(lambda.clone(), lambda)], [1.0, 8.0]);
        assert_eq!(sites("no"), Graph::default());
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
