//! Parser for the functions and calls in the output of callgrind.
//!
//! The format: Valgrind User Manual, "Callgrind Format Specification". A name is defined once, as in `fn=(3) main`, and
//! afterwards only its number is given. A line after `calls=` has the cost of the calls, including all that they called; any
//! other line of numbers belongs to the function itself.

use std::collections::HashMap;

/// A function: the object file that contains it, and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Function {
    /// The path of the program or library; empty if it is not known.
    pub(crate) object: String,
    /// Its name, demangled, without the hash that Rust appends.
    pub(crate) name: String,
}

/// Instructions and system calls.
pub(crate) type Cost = [f64; 2];

/// The functions of a program, and which calls which.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Graph {
    /// The cost of each function without what it calls.
    pub(crate) own: HashMap<Function, Cost>,
    /// The cost of all calls from one function to another, with all that these called.
    pub(crate) calls: HashMap<(Function, Function), Cost>,
}

/// Thousands of functions would hide everything else.
impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (functions, calls) = (self.own.len(), self.calls.len());
        write!(f, "Graph of {functions} functions and {calls} calls")
    }
}

impl Graph {
    /// Adds the functions of another process.
    pub(crate) fn add(&mut self, other: Self) {
        for (function, cost) in other.own {
            sum(self.own.entry(function).or_default(), cost);
        }
        for (call, cost) in other.calls {
            sum(self.calls.entry(call).or_default(), cost);
        }
    }

    /// The cost of an operation: the difference to a run with this many operations fewer.
    pub(crate) fn per_operation(&self, fewer: &Self, operations: f64) -> Self {
        fn slope<K: Clone + Eq + std::hash::Hash>(
            more: &HashMap<K, Cost>,
            fewer: &HashMap<K, Cost>,
            operations: f64,
        ) -> HashMap<K, Cost> {
            let slope = |(key, cost): (&K, &Cost)| {
                let before = fewer.get(key).copied().unwrap_or_default();
                let each = [0, 1].map(|which| (cost[which] - before[which]) / operations);
                (key.clone(), each)
            };
            more.iter().map(slope).collect()
        }
        Self {
            own: slope(&self.own, &fewer.own, operations),
            calls: slope(&self.calls, &fewer.calls, operations),
        }
    }
}

/// The cost of an operation in each function, from the runs with the fewest and the most requests.
pub(super) fn of_an_operation(graphs: &[(u64, Graph)]) -> Graph {
    let by_requests = |run: &&(u64, Graph)| run.0;
    let few = graphs.iter().min_by_key(by_requests);
    let many = graphs.iter().max_by_key(by_requests);
    match few.zip(many) {
        Some(((few, fewer), (many, more))) if many > few => {
            more.per_operation(fewer, (many - few) as f64)
        }
        _ => Graph::default(),
    }
}

fn sum(total: &mut Cost, more: Cost) {
    for (total, more) in total.iter_mut().zip(more) {
        *total += more;
    }
}

/// Reads the functions of a file. Lines that are not understood are left out: what matters for a verdict is read elsewhere.
pub(super) fn parse(text: &str) -> Graph {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(line);
    }
    reader.graph
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    objects: HashMap<String, String>,
    functions: HashMap<String, String>,
    /// Number of columns before those of events, and the columns of instructions and system calls.
    positions: usize,
    columns: [Option<usize>; 2],
    object: String,
    function: Function,
    called_object: Option<String>,
    called: Option<Function>,
    /// The next line of numbers is the cost of calls.
    is_call: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(positions) = line.strip_prefix("positions:") {
            self.positions = positions.split_whitespace().count();
        } else if let Some(events) = line.strip_prefix("events:") {
            let place = |name| events.split_whitespace().position(|event| event == name);
            self.columns = [place("Ir"), place("sysCount")];
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            self.numbers(line);
        } else if line.starts_with("calls=") {
            self.is_call = true;
        } else if let Some((key, value)) = line.split_once('=') {
            self.name(key, value);
        }
    }

    fn name(&mut self, key: &str, value: &str) {
        match key {
            "ob" => self.object = full(&mut self.objects, value),
            "cob" => self.called_object = Some(full(&mut self.objects, value)),
            "fn" => {
                self.function = Function {
                    object: self.object.clone(),
                    name: full(&mut self.functions, value),
                };
                self.graph.own.entry(self.function.clone()).or_default();
            }
            "cfn" => {
                let object = self.called_object.take();
                self.called = Some(Function {
                    object: object.unwrap_or_else(|| self.object.clone()),
                    name: full(&mut self.functions, value),
                });
            }
            _ => {}
        }
    }

    fn numbers(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().skip(self.positions).collect();
        let cost = self.columns.map(|column| {
            let word = column.and_then(|column| words.get(column));
            word.and_then(|word| word.parse().ok()).unwrap_or(0.0)
        });
        if !std::mem::take(&mut self.is_call) {
            sum(
                self.graph.own.entry(self.function.clone()).or_default(),
                cost,
            );
        } else if let Some(called) = self.called.take() {
            let call = (self.function.clone(), called);
            sum(self.graph.calls.entry(call).or_default(), cost);
        }
    }
}

/// The name behind `(3) main`, or behind `(3)`.
fn full(known: &mut HashMap<String, String>, value: &str) -> String {
    let Some((number, name)) = value
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
    else {
        return without_hash(value.trim()).to_owned();
    };
    let name = name.trim();
    if !name.is_empty() {
        known.insert(number.to_owned(), without_hash(name).to_owned());
    }
    known.get(number).cloned().unwrap_or_default()
}

/// Rust appends `::h` and 16 hexadecimal digits, which are others in each build.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            rest
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 1\npositions: line\nevents: Ir sysCount sysTime\n\nob=(1) /bin/server\nfl=(1) server.c\nfn=(1) serve::h0123456789abcdef\n10 5\ncob=(2) /lib/libc.so.6\ncfi=(2) read.c\ncfn=(2) read\ncalls=3 7 \n+1 30 3 99\n+2 4\ncfn=(3) parse\ncalls=3 50\n* 60\n\nob=(2)\nfn=(2)\n7 30 3\n\nob=(1)\nfn=(3)\n50 60\n\ntotals: 99 3\n";

    fn function(object: &str, name: &str) -> Function {
        Function {
            object: object.into(),
            name: name.into(),
        }
    }

    #[test]
    fn functions_and_calls_of_a_file() {
        let graph = parse(TEXT);
        let [serve, parse, read] = [
            function("/bin/server", "serve"),
            function("/bin/server", "parse"),
            function("/lib/libc.so.6", "read"),
        ];
        assert_eq!(graph.own[&serve], [9.0, 0.0]);
        assert_eq!(graph.own[&parse], [60.0, 0.0]);
        assert_eq!(graph.own[&read], [30.0, 3.0]);
        assert_eq!(graph.own.len(), 3);
        assert_eq!(graph.calls[&(serve.clone(), read)], [30.0, 3.0]);
        assert_eq!(graph.calls[&(serve, parse)], [60.0, 0.0]);
    }

    #[test]
    fn an_operation_is_the_difference_of_two_runs() {
        let few = parse(TEXT);
        let mut many = few.clone();
        many.add(few.clone());
        let each = many.per_operation(&few, 3.0);
        assert_eq!(each.own[&function("/bin/server", "parse")], [20.0, 0.0]);
    }

    #[test]
    fn nonsense_gives_nothing() {
        assert_eq!(parse("fn=(1\ncalls=\n7 8\n"), {
            let mut graph = Graph::default();
            graph.own.insert(function("", "(1"), [0.0; 2]);
            graph
        });
    }
}
