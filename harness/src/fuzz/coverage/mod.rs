//! What the server executes, by numbered places: basic blocks, edges or lines, as its sources tell.
//!
//! Whatever the source, a place counts once a case has reached it twice: on the same server, or again on a fresh one. Then
//! the sources need not tell it any more.
//!
//! To add a source: one file with an `ENTRY`, one line in [`ENTRIES`], one variant of the feedback mode.

mod breakpoints;
mod edges;
mod map;
mod node;
mod python;
mod script;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "cli")]
pub(crate) use edges::RUNTIME;
pub(crate) use source::{Entry, Look, Pace, Sights, Source};

use crate::fuzz::code::CodeCoverage;

/// All sources. Those that apply to a server work together.
pub(crate) const ENTRIES: [Entry; 4] =
    [edges::ENTRY, breakpoints::ENTRY, python::ENTRY, node::ENTRY];

/// A place that was reached this often without being reached again depends on chance.
const ATTEMPTS_MAX: u8 = 3;

/// The places of a server, and which of them the campaign has reached.
#[derive(Debug)]
pub(crate) struct Coverage {
    parts: Vec<Part>,
    reached: Mutex<Reached>,
    /// Changes whenever the hints do.
    version: AtomicUsize,
    /// Whether it is counted only, and guides nothing.
    only_watches: bool,
}

/// A source and the number of its first place.
#[derive(Debug)]
struct Part {
    first: usize,
    source: Box<dyn Source>,
}

#[derive(Debug)]
struct Reached {
    /// By place.
    known: Vec<Known>,
    /// Places that serve clients, in the order in which they were reached.
    serving: Vec<u32>,
    hints: Arc<Vec<Vec<u8>>>,
}

/// What is known of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Known {
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

impl Coverage {
    /// What these sources see.
    pub(crate) fn of(sources: Vec<Box<dyn Source>>) -> Self {
        let mut first = 0;
        let parts = sources.into_iter().map(|source| {
            let begin = first;
            first += source.places();
            Part {
                first: begin,
                source,
            }
        });
        let parts: Vec<Part> = parts.collect();
        Self {
            parts,
            reached: Mutex::new(Reached {
                known: vec![Known::Not; first],
                serving: Vec::new(),
                hints: Arc::default(),
            }),
            version: AtomicUsize::new(0),
            only_watches: false,
        }
    }

    /// The same, for a campaign that it does not guide: what is reached counts, and is never new.
    pub(crate) fn only_watching(self) -> Self {
        Self {
            only_watches: true,
            ..self
        }
    }

    /// What all of them see, and what each of them knows already.
    pub(crate) fn join(all: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::of(Vec::new());
        for one in all {
            let theirs = one.reached.into_inner();
            let theirs = theirs.unwrap_or_else(PoisonError::into_inner);
            let mut ours = joined.reached();
            let first = ours.known.len();
            let serving = theirs.serving.iter();
            ours.serving
                .extend(serving.map(|place| place + first as u32));
            ours.known.extend(theirs.known);
            drop(ours);
            joined.parts.extend(one.parts.into_iter().map(|part| Part {
                first: part.first + first,
                ..part
            }));
        }
        let mut reached = joined.reached();
        reached.hints = Arc::new(joined.hints_of(&reached));
        drop(reached);
        joined.version.fetch_add(1, Ordering::Release);
        joined
    }

    /// Whether what is new in it is kept and mutated.
    pub(crate) fn guides(&self) -> bool {
        !self.only_watches
    }

    /// What its sources see, for the first lines of a campaign.
    pub(crate) fn about(&self) -> String {
        let about = self.parts.iter().map(|part| part.source.about());
        about.collect::<Vec<_>>().join(" and ")
    }

    /// Sources that see one life of the server: what is still worth it.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(crate) fn begin(&self) -> io::Result<Arc<Sights>> {
        let begun = self.parts.iter().map(|part| {
            let places = part.first..part.first + part.source.places();
            Ok((places, part.source.begin()?))
        });
        Ok(Arc::new(Sights::new(begun.collect::<io::Result<_>>()?)))
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sources, each with the number of places that were reached.
    pub(crate) fn counts(&self) -> Vec<(&dyn Source, usize)> {
        let reached = self.reached();
        let parts = self.parts.iter();
        parts
            .map(|part| (part.source.as_ref(), part.count(&reached)))
            .collect()
    }

    /// The number of basic blocks that were reached, if a source sees them.
    pub(crate) fn blocks(&self) -> Option<usize> {
        let mut parts = self.parts.iter();
        let blocks = parts.find(|part| part.source.unit() == breakpoints::UNIT)?;
        Some(blocks.count(&self.reached()))
    }

    /// The functions and lines of the server's programs, if a source sees their basic blocks.
    pub(crate) fn code(&self) -> Option<CodeCoverage> {
        let known = self.reached().known.clone();
        let mut parts = self.parts.iter();
        parts.find_map(|part| part.source.code(&known[part.range()]))
    }

    /// The server executes these places while it starts.
    pub(crate) fn at_start(&self, places: &[u32]) {
        self.mark(&mut self.reached(), places, Known::Start);
    }

    /// A well-behaved client reaches these places.
    pub(crate) fn ordinary(&self, places: &[u32]) {
        self.serves(places, Known::Ordinary);
    }

    /// Those of these places that the campaign does not know.
    pub(crate) fn fresh(&self, places: &[u32]) -> Vec<u32> {
        if places.is_empty() {
            return Vec::new();
        }
        let mut reached = self.reached();
        if self.only_watches {
            self.mark(&mut reached, places, Known::Chance);
            return Vec::new();
        }
        let is_new = |place: &&u32| matches!(reached.known(**place), Known::Not | Known::Once(_));
        let mut fresh: Vec<u32> = places.iter().filter(is_new).copied().collect();
        fresh.sort_unstable();
        fresh.dedup();
        fresh
    }

    /// A case reaches these places for certain.
    pub(crate) fn keep(&self, places: &[u32]) {
        self.serves(places, Known::ByCase);
    }

    fn serves(&self, places: &[u32], as_what: Known) {
        let mut reached = self.reached();
        let new = self.mark(&mut reached, places, as_what);
        if new.is_empty() {
            return;
        }
        reached.serving.extend(new);
        reached.hints = Arc::new(self.hints_of(&reached));
        self.version.fetch_add(1, Ordering::Release);
    }

    fn hints_of(&self, reached: &Reached) -> Vec<Vec<u8>> {
        let of = |part: &Part| {
            let range = part.range();
            let serving = reached.serving.iter().map(|place| *place as usize);
            let serving = serving.filter(|place| range.contains(place));
            let serving: Vec<u32> = serving.map(|place| (place - part.first) as u32).collect();
            part.source.hints(&reached.known[range.clone()], &serving)
        };
        self.parts.iter().flat_map(of).collect()
    }

    /// These places were reached, but not again.
    pub(crate) fn not_again(&self, places: &[u32]) {
        let mut reached = self.reached();
        for place in places {
            let times = match reached.known(*place) {
                Known::Not => 1,
                Known::Once(times) => times + 1,
                _ => continue,
            };
            match times >= ATTEMPTS_MAX {
                true => drop(self.mark(&mut reached, &[*place], Known::Chance)),
                false => reached.known[*place as usize] = Known::Once(times),
            }
        }
    }

    /// Returns those that are new.
    fn mark(&self, reached: &mut Reached, places: &[u32], as_what: Known) -> Vec<u32> {
        let mut new = Vec::new();
        for place in places {
            if let Some(known) = reached.known.get_mut(*place as usize)
                && matches!(known, Known::Not | Known::Once(_))
            {
                *known = as_what;
                new.push(*place);
                if let Some(part) = self.part(*place) {
                    part.source.leave_out(*place - part.first as u32);
                }
            }
        }
        new
    }

    fn part(&self, place: u32) -> Option<&Part> {
        let mut parts = self.parts.iter();
        parts.find(|part| part.range().contains(&(place as usize)))
    }

    /// These places by what they are, numbered as their source does.
    pub(crate) fn by_unit(&self, places: &[u32]) -> BTreeMap<String, BTreeSet<u32>> {
        let mut by_unit: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for place in places {
            if let Some(part) = self.part(*place) {
                let unit = part.source.unit().to_owned();
                let number = *place - part.first as u32;
                by_unit.entry(unit).or_default().insert(number);
            }
        }
        by_unit
    }

    /// Changes whenever [`Coverage::hints`] do.
    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    /// What the code that cases have reached wants to read, the most promising first.
    pub(crate) fn hints(&self) -> Arc<Vec<Vec<u8>>> {
        match self.only_watches {
            true => Arc::default(),
            false => self.reached().hints.clone(),
        }
    }
}

impl Part {
    /// The number of its places that were reached.
    fn count(&self, reached: &Reached) -> usize {
        let known = &reached.known[self.range()];
        known.iter().filter(|known| known.is_certain()).count()
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.source.places()
    }
}

impl Reached {
    fn known(&self, place: u32) -> Known {
        let known = self.known.get(place as usize).copied();
        known.unwrap_or(Known::Ordinary)
    }
}

impl Known {
    /// Whether it was reached, for certain or by chance.
    fn is_reached(self) -> bool {
        self != Self::Not
    }

    /// Whether it was reached so often that it counts.
    fn is_certain(self) -> bool {
        !matches!(self, Self::Not | Self::Once(_))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::source::{Found, Sight};
    use super::*;

    /// Ten places, of which those that were left out are counted.
    #[derive(Debug, Default)]
    struct Ten(Arc<AtomicU32>);

    impl Source for Ten {
        fn unit(&self) -> &'static str {
            "places"
        }
        fn about(&self) -> String {
            "ten".into()
        }
        fn places(&self) -> usize {
            10
        }
        fn begin(&self) -> Found<Box<dyn Sight>> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn leave_out(&self, place: u32) {
            assert!(place < 10);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn hints(&self, known: &[Known], serving: &[u32]) -> Vec<Vec<u8>> {
            assert_eq!(known.len(), 10);
            vec![vec![serving.len() as u8]]
        }
    }

    #[test]
    fn what_is_only_watched_counts_and_is_never_new() {
        let coverage = Coverage::of(vec![Box::new(Ten::default())]).only_watching();
        coverage.ordinary(&[4]);
        assert!(coverage.fresh(&[4, 5, 6]).is_empty());
        let counts: Vec<usize> = coverage.counts().iter().map(|(_, count)| *count).collect();
        assert_eq!((counts, coverage.hints().len()), (vec![3], 0));
    }

    #[test]
    fn a_place_counts_once_whatever_its_source() {
        let left_out = Arc::new(AtomicU32::new(0));
        let first = Coverage::of(vec![Box::new(Ten::default())]);
        first.at_start(&[3]);
        let second = Coverage::of(vec![Box::new(Ten(left_out.clone()))]);
        let coverage = Coverage::join([first, second]);
        coverage.ordinary(&[4, 14]);
        assert_eq!(coverage.fresh(&[4, 19, 5, 19]), [5, 19]);
        coverage.keep(&[5]);
        assert_eq!(coverage.fresh(&[5, 19]), [19]);
        let counts: Vec<usize> = coverage.counts().iter().map(|(_, count)| *count).collect();
        assert_eq!((counts, coverage.version()), (vec![3, 1], 3));
        assert_eq!(*coverage.hints(), [[2], [1]]);
        for times in 1..=ATTEMPTS_MAX {
            assert_eq!(coverage.fresh(&[19]), [19], "{times}");
            coverage.not_again(&[19]);
        }
        assert!(coverage.fresh(&[19]).is_empty(), "it depends on chance");
        assert_eq!(left_out.load(Ordering::Relaxed), 2);
        coverage.keep(&[u32::MAX]);
        coverage.not_again(&[u32::MAX]);
    }
}
