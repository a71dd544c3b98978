//! The basic blocks that the server executes, seen by breakpoints in its unmodified program.
//!
//! A breakpoint tells only the first execution of its block in one life of a server. So a block counts once a case has
//! reached it twice: its breakpoint is written again and the case runs again, or the case reaches it on a fresh server.
//! Then no later server gets that breakpoint.

mod covered;
mod hints;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::binary::{Binary, Block};
use crate::process::{BREAKPOINTS, Place, Trace, TracePlan};

/// Maximum bytes of code in one program. Each life of the server has a copy of it.
pub(crate) const CODE_MAX: u64 = 64 << 20;
/// A block that was reached this often without being reached again depends on chance.
const ATTEMPTS_MAX: u8 = 3;

/// The blocks of a server's programs, and which of them the campaign has reached.
#[derive(Debug)]
pub(crate) struct Blocks {
    binaries: Vec<Binary>,
    plan: Arc<TracePlan>,
    reached: Mutex<Reached>,
    /// Changes whenever the hints do.
    version: AtomicUsize,
}

#[derive(Debug)]
struct Reached {
    /// By block.
    known: Vec<Known>,
    count: usize,
    /// Blocks that serve clients, in the order in which they were reached.
    serving: Vec<u32>,
    hints: Arc<Vec<Vec<u8>>>,
}

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Known {
    /// Never reached for certain; reached by chance so many times.
    #[default]
    Not,
    /// Reached while the server started.
    Start,
    /// Reached by a well-behaved client.
    Ordinary,
    /// Reached by a case.
    ByCase,
    /// Depends on chance.
    Chance,
    /// Reached so many times, but not again.
    Once(u8),
}

impl Blocks {
    /// The blocks of these programs and libraries, of those that have at most `code_max` bytes of code. The error is a reason.
    pub(crate) fn of(paths: &[PathBuf], code_max: u64) -> Result<Self, String> {
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
            reached: Mutex::new(Reached {
                known: vec![Known::Not; count],
                count: 0,
                serving: Vec::new(),
                hints: Arc::default(),
            }),
            version: AtomicUsize::new(0),
        })
    }

    /// Breakpoints for one life of the server: those that are still worth it.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(crate) fn trace(&self) -> io::Result<Arc<Trace>> {
        Trace::new(self.plan.clone()).map(Arc::new)
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of blocks.
    pub(crate) fn total(&self) -> usize {
        self.plan.places()
    }

    /// The number of blocks that were reached.
    pub(crate) fn count(&self) -> usize {
        self.reached().count
    }

    /// The paths of the programs.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Path> {
        self.binaries.iter().map(|binary| binary.path.as_path())
    }

    /// The server executes these blocks while it starts.
    pub(crate) fn at_start(&self, blocks: &[u32]) {
        self.mark(&mut self.reached(), blocks, Known::Start);
    }

    /// A well-behaved client reaches these blocks.
    pub(crate) fn ordinary(&self, blocks: &[u32]) {
        self.serves(blocks, Known::Ordinary);
    }

    /// Those of these blocks that the campaign does not know.
    pub(crate) fn fresh(&self, blocks: &[u32]) -> Vec<u32> {
        if blocks.is_empty() {
            return Vec::new();
        }
        let reached = self.reached();
        let is_new = |block: &&u32| matches!(reached.known(**block), Known::Not | Known::Once(_));
        let mut fresh: Vec<u32> = blocks.iter().filter(is_new).copied().collect();
        fresh.sort_unstable();
        fresh.dedup();
        fresh
    }

    /// A case reaches these blocks for certain.
    pub(crate) fn keep(&self, blocks: &[u32]) {
        self.serves(blocks, Known::ByCase);
    }

    fn serves(&self, blocks: &[u32], as_what: Known) {
        let mut reached = self.reached();
        if self.mark(&mut reached, blocks, as_what) > 0 {
            reached.serving.extend_from_slice(blocks);
            reached.hints = Arc::new(hints::of(self, &reached.known, &reached.serving));
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// These blocks were reached, but not again.
    pub(crate) fn not_again(&self, blocks: &[u32]) {
        let mut reached = self.reached();
        for block in blocks {
            let times = match reached.known(*block) {
                Known::Not => 1,
                Known::Once(times) => times + 1,
                _ => continue,
            };
            match times >= ATTEMPTS_MAX {
                true => drop(self.mark(&mut reached, &[*block], Known::Chance)),
                false => reached.known[*block as usize] = Known::Once(times),
            }
        }
    }

    /// Returns how many of them are new.
    fn mark(&self, reached: &mut Reached, blocks: &[u32], as_what: Known) -> usize {
        let mut new = 0;
        for block in blocks {
            if let Some(known) = reached.known.get_mut(*block as usize)
                && matches!(known, Known::Not | Known::Once(_))
            {
                *known = as_what;
                self.plan.leave_out(*block);
                new += 1;
            }
        }
        reached.count += new;
        new
    }

    /// Changes whenever [`Blocks::hints`] do.
    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    /// What the code that cases have reached wants to read, the most promising first.
    pub(crate) fn hints(&self) -> Arc<Vec<Vec<u8>>> {
        self.reached().hints.clone()
    }

    /// The program of a block, and its number there.
    fn block(&self, number: u32) -> Option<(&Binary, &Block, u32)> {
        let mut first = 0;
        for binary in &self.binaries {
            let count = u32::try_from(binary.blocks.len()).unwrap_or(u32::MAX);
            if number - first < count {
                return Some((binary, &binary.blocks[(number - first) as usize], first));
            }
            first += count;
        }
        None
    }
}

fn plan(binaries: &[Binary]) -> io::Result<TracePlan> {
    let files: Vec<(PathBuf, Vec<Place>)> = binaries
        .iter()
        .map(|one| (one.path.clone(), one.blocks.iter().map(Place::of).collect()))
        .collect();
    TracePlan::new(&files)
}

impl Blocks {
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

impl Reached {
    fn known(&self, block: u32) -> Known {
        let known = self.known.get(block as usize).copied();
        known.unwrap_or(Known::Ordinary)
    }
}

impl Known {
    /// Whether it was reached, for certain or by chance.
    fn is_reached(self) -> bool {
        self != Self::Not
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_once() {
        let blocks = Blocks::of(&[PathBuf::from("/bin/sh")], CODE_MAX).unwrap();
        assert!(blocks.total() > 1000);
        blocks.at_start(&[3]);
        blocks.ordinary(&[4]);
        assert_eq!(blocks.fresh(&[4, 9, 5, 9]), [5, 9]);
        blocks.keep(&[5]);
        assert_eq!(blocks.fresh(&[5, 9]), [9]);
        assert_eq!((blocks.count(), blocks.version()), (3, 2));
        for times in 1..=ATTEMPTS_MAX {
            assert_eq!(blocks.fresh(&[9]), [9], "{times}");
            blocks.not_again(&[9]);
        }
        assert!(blocks.fresh(&[9]).is_empty(), "it depends on chance");
        blocks.keep(&[u32::MAX]);
        blocks.not_again(&[u32::MAX]);
    }

    #[test]
    fn a_script_has_no_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("x.sh");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(
            Blocks::of(&[script], CODE_MAX)
                .unwrap_err()
                .contains("x.sh")
        );
        assert!(Blocks::of(&[], CODE_MAX).is_err());
    }
}
