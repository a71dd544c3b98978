//! What a connection carries, and in which order: `after`, `once` and `last` of the turns.

use super::exchange::Exchange;
use super::frame::Frame;
use super::{Close, Talk};

/// What one connection has carried so far.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// Indices of turns.
    done: Vec<usize>,
    over: bool,
}

impl Walk {
    /// The turns that have to be said now so that turn `index` has been said, itself last. `None` if only a new
    /// connection can carry it.
    pub fn steps_to(&self, talk: &Talk, index: usize) -> Option<Vec<usize>> {
        let turn = talk.turns.get(index)?;
        if self.over || turn.order.once && self.done.contains(&index) {
            return None;
        }
        let mut steps = talk.before(turn);
        steps.retain(|step| !self.done.contains(step));
        steps.push(index);
        Some(steps)
    }

    /// Notes that the connection has carried turn `index`.
    pub fn said(&mut self, talk: &Talk, index: usize) {
        self.done.push(index);
        self.over |= talk
            .turns
            .get(index)
            .is_some_and(|turn| !talk.goes_on_after(turn));
    }
}

/// Courses of connections that together carry some turns, each as often as the others if possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Courses {
    /// The turns that each connection says first, before those that are asked for.
    pub lead_in: Vec<usize>,
    /// What connections carry after that; they take these courses in turn.
    pub each: Vec<Course>,
}

/// What a connection carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Indices of turns.
    pub turns: Vec<usize>,
    /// After the last one the connection starts again with the first; otherwise it is over.
    pub repeats: bool,
}

impl Talk {
    /// The turn of this name.
    pub fn named(&self, name: &str) -> Option<usize> {
        let is_it = |turn: &Exchange| turn.name.as_deref() == Some(name);
        self.turns.iter().position(is_it)
    }

    /// Whether the connection is still open after this exchange.
    pub fn goes_on_after(&self, exchange: &Exchange) -> bool {
        let ends = self.request == Frame::Eof || *exchange.reply_frame(self) == Frame::Eof;
        self.close == Close::Client && !exchange.order.last && !ends
    }

    /// Whether a connection can carry this exchange several times.
    pub fn repeats(&self, exchange: &Exchange) -> bool {
        self.goes_on_after(exchange) && !exchange.order.once
    }

    /// Indices of the turns that a connection has to carry before this exchange, in order.
    pub fn before(&self, exchange: &Exchange) -> Vec<usize> {
        let mut before = Vec::new();
        self.collect_before(exchange, &mut before);
        before
    }

    fn collect_before(&self, exchange: &Exchange, before: &mut Vec<usize>) {
        let named = exchange.order.after.iter();
        for index in named.filter_map(|name| self.named(name)) {
            // A file in which turns wait for each other is refused.
            if !before.contains(&index) {
                self.collect_before(&self.turns[index], before);
                before.push(index);
            }
        }
    }

    /// All turns, each at least once and in the order of the file, on as few connections as possible.
    pub fn tours(&self) -> Vec<Vec<usize>> {
        let mut tours: Vec<Vec<usize>> = Vec::new();
        let mut walk = Walk::default();
        for index in 0..self.turns.len() {
            if tours.iter().flatten().any(|said| *said == index) {
                continue;
            }
            let steps = match walk.steps_to(self, index).filter(|_| !tours.is_empty()) {
                Some(steps) => steps,
                None => {
                    walk = Walk::default();
                    tours.push(Vec::new());
                    // A new connection can carry every turn.
                    walk.steps_to(self, index).unwrap_or_else(|| vec![index])
                }
            };
            for step in steps {
                walk.said(self, step);
                if let Some(tour) = tours.last_mut() {
                    tour.push(step);
                }
            }
        }
        tours
    }

    /// Indices of the turns that a connection carries before turn `index` in the tour that reaches it first. This is the
    /// way to it that the rehearsal has tried.
    pub fn way_to(&self, index: usize) -> Vec<usize> {
        let tours = self.tours().into_iter();
        let mut ways = tours.filter_map(|tour| {
            let end = tour.iter().position(|said| *said == index)?;
            Some(tour[..end].to_vec())
        });
        ways.next().unwrap_or_default()
    }

    /// How connections carry these turns, over and over. `None` if each can be said at any time.
    pub fn courses(&self, wanted: &[usize]) -> Option<Courses> {
        let turns = || wanted.iter().filter_map(|index| self.turns.get(*index));
        if turns().all(|turn| turn.order.is_free()) {
            return None;
        }
        let mut lead_in = Vec::new();
        for turn in turns() {
            for step in self.before(turn) {
                if !wanted.contains(&step) && !lead_in.contains(&step) {
                    lead_in.push(step);
                }
            }
        }
        let goes_on = |index: &usize| {
            self.turns
                .get(*index)
                .is_some_and(|turn| self.goes_on_after(turn))
        };
        let (mut first, last): (Vec<usize>, Vec<usize>) = wanted.iter().copied().partition(goes_on);
        let mut last = last.into_iter();
        first.extend(last.next());
        let starts = std::iter::once(first).chain(last.map(|index| vec![index]));
        let each = starts.map(|turns| self.course(&lead_in, &turns)).collect();
        Some(Courses { lead_in, each })
    }

    /// These turns in an order in which one connection can carry them.
    fn course(&self, lead_in: &[usize], wanted: &[usize]) -> Course {
        let mut walk = Walk::default();
        lead_in.iter().for_each(|step| walk.said(self, *step));
        let mut turns = Vec::new();
        for index in wanted {
            // A turn that is wanted twice may have been said for another one.
            for step in walk.steps_to(self, *index).unwrap_or_default() {
                walk.said(self, step);
                turns.push(step);
            }
        }
        let again = turns.iter().filter_map(|index| self.turns.get(*index));
        Course {
            repeats: again.clone().count() > 0 && again.clone().all(|turn| self.repeats(turn)),
            turns,
        }
    }
}
