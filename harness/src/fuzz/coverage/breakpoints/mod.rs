//! The basic blocks that the server executes, seen by breakpoints in its unmodified program.
//!
//! A breakpoint tells only the first execution of its block in one life of a server. To confirm it, the breakpoint is written
//! again.

mod covered;
mod hints;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::source::{Entry, Found, Look, Offer, Pace, Sight, Source};
use super::{Known, script};
use crate::binary::{Binary, Block};
use crate::fuzz::code::CodeCoverage;
use crate::process::{
    BREAKPOINTS, Place, Server, StartOptions, Trace, TracePlan, TraceState, program_name,
};

/// Maximum bytes of code in one program. Each life of the server has a copy of it.
const CODE_MAX: u64 = 64 << 20;
/// The same for breakpoints that nobody has asked for: more takes seconds to start.
const CODE_MAX_UNASKED: u64 = 20 << 20;

/// What the places are.
pub(super) const UNIT: &str = "basic blocks";

pub(super) const ENTRY: Entry = Entry {
    name: "breakpoints",
    of,
};

fn of(look: &Look<'_>) -> Offer {
    // An interpreter's own code tells little about the server that it runs.
    if !look.is_asked
        && let Some(name) = script::only_interpreters(look.programs)
    {
        return Some(Err(format!(
            "{name} runs the server, and breakpoints in {name} see only its own code"
        )));
    }
    let code_max = match look.is_asked {
        true => CODE_MAX,
        false => CODE_MAX_UNASKED,
    };
    let blocks = Blocks::of(look.programs, code_max);
    Some(blocks.map(|blocks| Box::new(blocks) as Box<dyn Source>))
}

/// The blocks of a server's programs.
#[derive(Debug)]
pub(super) struct Blocks {
    binaries: Vec<Binary>,
    plan: Arc<TracePlan>,
}

impl Blocks {
    /// The blocks of these programs and libraries, of those that have at most `code_max` bytes of code. The error is a reason.
    fn of(paths: &[PathBuf], code_max: u64) -> Result<Self, String> {
        if !BREAKPOINTS {
            return Err("this kind of processor is not supported".into());
        }
        let mut binaries = Vec::new();
        let mut trouble = None;
        for path in paths {
            match Binary::read(path, code_max) {
                Ok(binary) => binaries.push(binary),
                Err(error) => trouble = Some(error.to_string()),
            }
        }
        let count: usize = binaries.iter().map(|binary| binary.blocks.len()).sum();
        match (count, trouble) {
            (0, Some(trouble)) => return Err(trouble),
            (0, None) => return Err("its program is not known".into()),
            _ => {}
        }
        let plan = plan(&binaries).map_err(|error| error.to_string())?;
        Ok(Self {
            binaries,
            plan: Arc::new(plan),
        })
    }

    /// The blocks of these programs for another source, to know what they compare.
    pub(super) fn to_read(programs: &[PathBuf]) -> Option<Self> {
        Self::of(programs, CODE_MAX_UNASKED).ok()
    }

    /// The constants of all blocks, for a source that cannot tell which of them were reached.
    pub(super) fn constants(&self) -> Vec<Vec<u8>> {
        hints::all(self)
    }

    /// The programs, each with the number of its first block.
    pub(super) fn binaries(&self) -> impl Iterator<Item = (u32, &Binary)> {
        let mut first = 0;
        self.binaries.iter().map(move |binary| {
            let begin = first;
            first += u32::try_from(binary.blocks.len()).unwrap_or(u32::MAX);
            (begin, binary)
        })
    }

    /// The number of blocks.
    fn count(&self) -> u32 {
        u32::try_from(self.plan.places()).unwrap_or(u32::MAX)
    }

    /// The program of a block, and the number of its first one.
    fn block(&self, number: u32) -> Option<(&Binary, &Block, u32)> {
        self.binaries().find_map(|(first, binary)| {
            let block = binary.blocks.get(number.checked_sub(first)? as usize)?;
            Some((binary, block, first))
        })
    }

    /// The blocks of the function of this block.
    fn function_of(&self, number: u32) -> std::ops::Range<u32> {
        let Some((binary, block, first)) = self.block(number) else {
            return 0..0;
        };
        let all = &binary.blocks;
        let start = all.partition_point(|one| one.function < block.function);
        let end = all.partition_point(|one| one.function <= block.function);
        first + start as u32..first + end as u32
    }
}

fn plan(binaries: &[Binary]) -> std::io::Result<TracePlan> {
    let files: Vec<(PathBuf, Vec<Place>)> = binaries
        .iter()
        .map(|one| (one.path.clone(), one.blocks.iter().map(Place::of).collect()))
        .collect();
    TracePlan::new(&files)
}

impl Source for Blocks {
    fn unit(&self) -> &'static str {
        UNIT
    }

    fn about(&self) -> String {
        let paths = self.binaries.iter().map(|binary| binary.path.as_path());
        let names: Vec<&str> = paths.map(program_name).collect();
        let count = self.places();
        format!(
            "breakpoints in {count} basic blocks of {}",
            names.join(", ")
        )
    }

    fn places(&self) -> usize {
        self.plan.places()
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn begin(&self) -> Found<Box<dyn Sight>> {
        Ok(Box::new(Traced {
            trace: Arc::new(Trace::new(self.plan.clone())?),
            read: AtomicUsize::new(0),
        }))
    }

    fn code(&self, known: &[Known]) -> Option<CodeCoverage> {
        Some(covered::code(self, known))
    }

    fn leave_out(&self, place: u32) {
        self.plan.leave_out(place);
    }

    fn hints(&self, known: &[Known], serving: &[u32]) -> Vec<Vec<u8>> {
        hints::of(self, known, serving)
    }
}

/// A server with breakpoints.
#[derive(Debug)]
struct Traced {
    trace: Arc<Trace>,
    /// Entries of the log that were read.
    read: AtomicUsize,
}

impl Sight for Traced {
    fn prepare(&self, options: &mut StartOptions) {
        options.trace = Some(self.trace.clone());
    }

    fn trouble(&self) -> Option<String> {
        match self.trace.log().state() {
            TraceState::Traced(1..) => None,
            TraceState::Refused(error) => {
                let error = std::io::Error::from_raw_os_error(error);
                Some(format!("the system does not allow it: {error}"))
            }
            _ => Some("the server does not run the program that was expected".into()),
        }
    }

    fn take(&self, _: Pace) -> Vec<u32> {
        let read = self.read.load(Ordering::Relaxed);
        if self.trace.log().len() == read {
            return Vec::new();
        }
        let reached = self.trace.log().since(read);
        self.read.fetch_add(reached.len(), Ordering::Relaxed);
        reached
    }

    fn again(&self, places: &[u32], server: &Server) -> bool {
        self.trace.arm_again(places, || server.wake())
    }

    fn mark(&self) -> usize {
        self.trace.log().len()
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_blocks_and_a_script_has_none() {
        assert!(Blocks::of(&["/bin/sh".into()], CODE_MAX).unwrap().places() > 1000);
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("x.sh");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        let error = Blocks::of(&[script], CODE_MAX).unwrap_err();
        assert!(error.contains("x.sh"));
        assert!(Blocks::of(&[], CODE_MAX).is_err());
    }
}
