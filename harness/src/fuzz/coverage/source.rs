//! What a source of coverage is, and what all sources of a campaign see of one life of a server.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use super::Known;
use crate::fuzz::code::CodeCoverage;
use crate::process::{Launch, Server, StartOptions};

/// What may fail for lack of descriptors or memory.
pub(super) type Found<T> = io::Result<T>;

/// One kind of source.
#[derive(Debug)]
pub(crate) struct Entry {
    /// How it is asked for: the name of a feedback mode.
    pub(crate) name: &'static str,
    /// The source for this server.
    pub(crate) of: fn(&Look<'_>) -> Offer,
}

/// A source, or the reason why it is not possible; `None` if it is not for this kind of server.
pub(crate) type Offer = Option<Result<Box<dyn Source>, String>>;

/// What is known of a server before a source is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The programs that it runs, and the libraries whose code is to be seen.
    pub(crate) programs: &'a [PathBuf],
    pub(crate) launch: &'a Launch,
    /// Whether the user has asked for this source.
    pub(crate) is_asked: bool,
}

/// A source of coverage for all lives of a server. Its places are numbered from 0.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// What the places are, in the plural.
    fn unit(&self) -> &'static str;

    /// What it sees, for the first lines of a campaign.
    fn about(&self) -> String;

    /// The number of places.
    fn places(&self) -> usize;

    /// Whether each of the numbers stands for a place.
    fn is_complete(&self) -> bool {
        false
    }

    /// Prepares to see a life of the server that is about to begin.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    fn begin(&self) -> Found<Box<dyn Sight>>;

    /// The functions and lines of the programs, if the places are basic blocks.
    fn code(&self, _known: &[Known]) -> Option<CodeCoverage> {
        None
    }

    /// This place need not be told any more.
    fn leave_out(&self, _place: u32) {}

    /// What the code wants to read, the most promising first. `serving` are the places that serve clients, in the order in
    /// which they were reached.
    fn hints(&self, _known: &[Known], _serving: &[u32]) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// What a source sees of one life of a server.
pub(crate) trait Sight: fmt::Debug + Send + Sync {
    /// Adds to the options of the start what the source needs.
    fn prepare(&self, options: &mut StartOptions);

    /// Why it sees nothing of a server that has served a client.
    fn trouble(&self) -> Option<String>;

    /// The places that were reached since the last call, as far as they can be told at this pace.
    fn take(&self, pace: Pace) -> Vec<u32>;

    /// Makes these places be told when they are reached next; with none, lets it see what was loaded meanwhile. False if it
    /// cannot.
    fn again(&self, places: &[u32], server: &Server) -> bool;

    /// A number that grows whenever a new place is reached, or one of those that are to be told again.
    fn mark(&self) -> usize;

    /// The number of calls of [`Sight::take`] that have told something, if not all of them do.
    fn looks(&self) -> Option<usize> {
        None
    }
}

/// How much a look may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nothing to speak of.
    Free,
    /// A small part of the time; a look that was asked for by [`Sight::again`] anything.
    Due,
    /// Anything.
    Now,
}

/// What all sources see of one life of a server.
#[derive(Debug)]
pub(crate) struct Sights(Vec<(Range<usize>, Box<dyn Sight>)>);

impl Sights {
    /// Each with the numbers of its places.
    pub(super) fn new(sights: Vec<(Range<usize>, Box<dyn Sight>)>) -> Self {
        Self(sights)
    }

    /// Adds to the options of the start what the sources need.
    pub(crate) fn prepare(&self, options: &mut StartOptions) {
        self.0.iter().for_each(|(_, sight)| sight.prepare(options));
    }

    /// Why each source sees nothing, if so.
    pub(crate) fn trouble(&self) -> Vec<Option<String>> {
        self.0.iter().map(|(_, sight)| sight.trouble()).collect()
    }

    /// The places that were reached since the last call, as far as they can be told at this pace.
    pub(crate) fn take(&self, pace: Pace) -> Vec<u32> {
        let mut reached = Vec::new();
        for (range, sight) in &self.0 {
            let places = sight.take(pace).into_iter();
            reached.extend(places.map(|place| place + range.start as u32));
        }
        reached
    }

    /// Makes these places be told when they are reached next; with none, lets the sources see what was loaded meanwhile.
    pub(crate) fn again(&self, places: &[u32], server: &Server) -> bool {
        let mut all = true;
        for (range, sight) in &self.0 {
            let own = places.iter().map(|place| *place as usize);
            let own = own.filter(|place| range.contains(place));
            let own: Vec<u32> = own.map(|place| (place - range.start) as u32).collect();
            all &= own.is_empty() != places.is_empty() || sight.again(&own, server);
        }
        all
    }

    /// The number of looks of the sources that do not look after each case, if there are any.
    pub(crate) fn looks(&self) -> Option<usize> {
        let looks = self.0.iter().filter_map(|(_, sight)| sight.looks());
        looks.reduce(|one, other| one + other)
    }

    /// A number that grows whenever a new place is reached, or one of those that are to be told again.
    pub(crate) fn mark(&self) -> usize {
        self.0.iter().map(|(_, sight)| sight.mark()).sum()
    }
}
