//! The edges that an instrumented server takes, in shared memory as AFL's runtime has it, without a fork server.
//!
//! Programs built by the compilers of AFL++ have that runtime. For any other compiler that knows `-fsanitize-coverage`, also
//! Rust's, `tcprove generate coverage` prints one.

mod numbers;

use std::sync::Arc;

use numbers::Numbers;

use super::Known;
use super::breakpoints::Blocks;
use super::map::{Form, Map};
use super::source::{Entry, Found, Look, Offer, Pace, Sight, Source};
use crate::binary::guards;
use crate::process::{Server, StartOptions, program_name};
use crate::sys::SharedWords;

/// The runtime that `tcprove generate coverage` prints.
pub(crate) const RUNTIME: &str = include_str!("runtime.c");

/// The variable by which AFL's runtime finds the memory, and the one that tells how large it is.
const ID: &str = "__AFL_SHM_ID";
const SIZE: &str = "AFL_MAP_SIZE";
/// Bytes that every runtime expects at least.
const SIZE_MIN: usize = 1 << 16;
/// Maximum bytes: they are read after every case.
const SIZE_MAX: usize = 1 << 23;
/// Edges that the runtime keeps for itself.
const RESERVED: usize = 64;
const UNUSED: &str = "the server contains the name of AFL's memory, but does not write to the memory that it is given: it may not be built for coverage";

pub(super) const ENTRY: Entry = Entry { name: "edges", of };

fn of(look: &Look<'_>) -> Offer {
    let guards = look.programs.iter().map(|path| (path, guards(path, ID)));
    let built: Vec<_> = guards
        .filter_map(|(path, guards)| Some((path.clone(), guards?)))
        .collect();
    if built.is_empty() {
        let how = "its programs are not built for that: use afl-clang-fast, or -fsanitize-coverage=trace-pc-guard with the \
                   file that `tcprove generate coverage` prints";
        return look.is_asked.then(|| Err(how.into()));
    }
    let all: usize = built
        .iter()
        .map(|(_, guards)| guards.count + RESERVED)
        .sum();
    let names: Vec<&str> = built.iter().map(|(path, _)| program_name(path)).collect();
    let names = names.join(", ");
    // Beside breakpoints, those know what the code compares.
    let blocks = look.is_asked.then(|| Blocks::to_read(look.programs));
    let numbers = blocks.flatten().map(|blocks| Numbers::of(blocks, built));
    Some(Ok(Box::new(Edges {
        size: all.next_multiple_of(64).clamp(SIZE_MIN, SIZE_MAX),
        names,
        mode: match look.launch.user {
            Some(_) => 0o666,
            None => 0o600,
        },
        numbers: numbers.map(Arc::new),
    })))
}

/// The edges of a server's programs.
#[derive(Debug)]
struct Edges {
    /// Bytes of the memory, one for each edge.
    size: usize,
    names: String,
    /// Permissions of the memory.
    mode: i32,
    numbers: Option<Arc<Numbers>>,
}

impl Source for Edges {
    fn unit(&self) -> &'static str {
        "edges"
    }

    fn about(&self) -> String {
        format!(
            "the edges (jumps between basic blocks) that {} counts in shared memory",
            self.names
        )
    }

    fn places(&self) -> usize {
        self.size
    }

    fn begin(&self) -> Found<Box<dyn Sight>> {
        let (id, words) = SharedWords::segment(self.size / size_of::<u32>(), self.mode)?;
        let env = [(ID, id.to_string()), (SIZE, self.size.to_string())];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        Ok(Box::new(Counted {
            map: Map::new(words, Form::Counters(UNUSED), env.into()),
            numbers: self.numbers.clone(),
        }))
    }

    fn hints(&self, known: &[Known], serving: &[u32]) -> Vec<Vec<u8>> {
        let numbers = self.numbers.as_ref();
        numbers.map_or_else(Vec::new, |numbers| numbers.hints(known, serving))
    }
}

/// A server that counts edges.
#[derive(Debug)]
struct Counted {
    map: Map,
    numbers: Option<Arc<Numbers>>,
}

impl Sight for Counted {
    fn prepare(&self, options: &mut StartOptions) {
        self.map.prepare(options);
    }

    fn trouble(&self) -> Option<String> {
        self.map.trouble()
    }

    fn take(&self, pace: Pace) -> Vec<u32> {
        self.map.take(pace)
    }

    fn again(&self, places: &[u32], server: &Server) -> bool {
        if let Some(numbers) = &self.numbers {
            numbers.read(server);
        }
        self.map.again(places, server)
    }

    fn mark(&self) -> usize {
        self.map.mark()
    }
}
