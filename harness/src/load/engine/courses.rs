//! What each connection carries, where turns have an order: some come after others, once for each connection, or last.

use super::conn::Conn;
use crate::talk::{Exchange, Exec, Opening, Talk};

/// The turns of a load, and the order in which connections carry them.
#[derive(Debug)]
pub(crate) struct Courses {
    /// Indices of the turns of the talk that the script contains.
    pub(crate) turns: Vec<usize>,
    /// Indices of the turns of the talk that end the opening of every connection.
    lead_in: Vec<usize>,
    /// Connections take these in turn. Empty if turns can be said in any order.
    each: Vec<Course>,
}

/// What a connection carries after its opening.
#[derive(Debug)]
struct Course {
    /// Indices into the script.
    places: Vec<usize>,
    repeats: bool,
}

impl Courses {
    /// The courses for these turns.
    pub(crate) fn new(talk: &Talk, wanted: &[usize]) -> Self {
        let Some(courses) = talk.courses(wanted) else {
            return Self {
                turns: wanted.to_vec(),
                lead_in: Vec::new(),
                each: Vec::new(),
            };
        };
        let mut turns: Vec<usize> = Vec::new();
        for turn in courses.each.iter().flat_map(|course| &course.turns) {
            if !turns.contains(turn) {
                turns.push(*turn);
            }
        }
        let place = |turn: &usize| turns.iter().position(|known| known == turn);
        let each = courses.each.iter().map(|course| Course {
            places: course.turns.iter().filter_map(place).collect(),
            repeats: course.repeats,
        });
        Self {
            lead_in: courses.lead_in,
            each: each.filter(|course| !course.places.is_empty()).collect(),
            turns,
        }
    }

    /// Whether turns can be said in any order.
    pub(super) fn are_free(&self) -> bool {
        self.each.is_empty()
    }

    /// The turn that a connection carries as its request `number`, counted from 0.
    pub(super) fn turn(&self, conn: &Conn, number: usize) -> usize {
        self.of(conn)
            .map_or(0, |course| course.places[number % course.places.len()])
    }

    /// The number of requests after which a connection is over.
    pub(super) fn length(&self, conn: &Conn) -> Option<u32> {
        let course = self.of(conn).filter(|course| !course.repeats)?;
        u32::try_from(course.places.len()).ok()
    }

    /// Whether any connection is over after some requests.
    pub(super) fn end(&self) -> bool {
        self.each.iter().any(|course| !course.repeats)
    }

    fn of(&self, conn: &Conn) -> Option<&Course> {
        let number = conn.cold.as_ref().map_or(0, |cold| cold.course);
        self.each.get(number % self.each.len().max(1))
    }

    /// The exchanges of the opening of a connection, and the turns that end it.
    pub(super) fn opening<'t>(&'t self, talk: &'t Talk) -> impl Iterator<Item = &'t Exchange> {
        let steps = (0..).map_while(|place| self.step(talk, place));
        steps.filter_map(|step| match step {
            OpeningStep::Exchange(exchange) => Some(exchange),
            OpeningStep::StartTls | OpeningStep::Exec(_) => None,
        })
    }

    /// Step `place` of the opening of a connection, which ends with the turns that come before all others.
    pub(super) fn step<'t>(&self, talk: &'t Talk, place: usize) -> Option<OpeningStep<'t>> {
        let Some(after) = place.checked_sub(talk.open.len()) else {
            return Some(match &talk.open[place] {
                Opening::Exchange(exchange) => OpeningStep::Exchange(exchange),
                Opening::StartTls => OpeningStep::StartTls,
                Opening::Exec(exec) => OpeningStep::Exec(exec),
            });
        };
        let turn = self.lead_in.get(after)?;
        talk.turns.get(*turn).map(OpeningStep::Exchange)
    }
}

/// A step of the opening of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum OpeningStep<'t> {
    Exchange(&'t Exchange),
    StartTls,
    Exec(&'t Exec),
}
