//! The places of a conversation at which a client can leave.

use crate::check::{Checked, Cx, way};
use crate::session::Session;
use crate::talk::{Exchange, Opening, Talk};

/// Number of requests that are sent at once without reading a reply, if the turn can be repeated. A server that
/// answers each by itself sends the later replies to a client that has left.
const UNREAD_REQUESTS: usize = 8;

/// A place at which a client leaves.
pub(super) struct Place {
    /// What the connection carries before.
    before: Vec<Opening>,
    leaving: Leaving,
}

/// How far the client gets at a place.
enum Leaving {
    /// It has the last reply.
    Between,
    /// It has sent half a request.
    Within(Exchange),
    /// It has sent a request, perhaps several times, and has read no reply.
    Unread(Exchange, usize),
}

/// All places of the conversation: after the connect, in the middle of each request, before and after each reply.
///
/// The turns are said in the order of the file and on as few connections as possible, as in the rehearsal.
pub(super) fn all(talk: &Talk) -> Vec<Place> {
    let mut places = Vec::new();
    for tour in talk.tours() {
        let steps = way::with_turns(talk, &tour);
        // Later connections have the same opening.
        let begin = if places.is_empty() {
            0
        } else {
            talk.open.len()
        };
        if places.is_empty() {
            places.push(Place::new(&[], Leaving::Between));
        }
        for (number, step) in steps.iter().enumerate().skip(begin) {
            let before = &steps[..number];
            if let Opening::Exchange(exchange) = step
                && exchange.send.is_some()
            {
                let times = if !exchange.opens && talk.repeats(exchange) {
                    UNREAD_REQUESTS
                } else {
                    1
                };
                places.push(Place::new(before, Leaving::Within(exchange.clone())));
                places.push(Place::new(before, Leaving::Unread(exchange.clone(), times)));
            }
            places.push(Place::new(&steps[..=number], Leaving::Between));
        }
    }
    places
}

impl Place {
    fn new(before: &[Opening], leaving: Leaving) -> Self {
        Self {
            before: before.to_vec(),
            leaving,
        }
    }

    /// The place in words: "after talk.turn[0]".
    pub(super) fn name(&self) -> String {
        match &self.leaving {
            Leaving::Between => match self.before.last() {
                Some(step) => format!("after {}", way::label(step)),
                None => "after the connect".to_owned(),
            },
            Leaving::Within(exchange) => format!("in the middle of {}", exchange.label),
            Leaving::Unread(exchange, _) => format!("before the reply to {}", exchange.label),
        }
    }

    /// The exchange at which the client leaves, or after which.
    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match (&self.leaving, self.before.last()) {
            (Leaving::Within(exchange) | Leaving::Unread(exchange, _), _)
            | (Leaving::Between, Some(Opening::Exchange(exchange))) => Some(exchange),
            (Leaving::Between, _) => None,
        }
    }

    /// A new connection that has come to this place. Waits until the server has read what was sent, unless replies are
    /// on their way.
    pub(super) async fn reach(&self, cx: &Cx) -> Checked<Session> {
        let mut client = cx.connect().await?;
        if !self.before.is_empty() || !matches!(self.leaving, Leaving::Between) {
            way::walk(&mut client, &self.before).await?;
        }
        match &self.leaving {
            Leaving::Between => {}
            Leaving::Within(exchange) => {
                let request = client.voice().render(exchange, way::PAYLOAD)?.request;
                client.send(&request[..request.len() / 2]).await?;
                way::is_read(cx, &mut client).await;
            }
            Leaving::Unread(exchange, times) => {
                let mut requests = Vec::new();
                for _ in 0..*times {
                    requests.extend(client.voice().render(exchange, way::PAYLOAD)?.request);
                }
                client.send(&requests).await?;
            }
        }
        Ok(client)
    }
}

/// At most `most` of the places, evenly chosen, with the first and the last. `most` is at least 2.
pub(super) fn sample(places: Vec<Place>, most: usize) -> Vec<Place> {
    let all = places.len();
    if all <= most {
        return places;
    }
    let chosen: Vec<usize> = (0..most)
        .map(|step| step * (all - 1) / (most - 1))
        .collect();
    let places = places.into_iter().enumerate();
    places
        .filter(|(index, _)| chosen.contains(index))
        .map(|(_, place)| place)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        let file = crate::file::parse(source, "t", std::path::Path::new("."));
        all(&file.unwrap().talk).iter().map(Place::name).collect()
    }

    #[test]
    fn every_step_has_a_place_within_before_and_after_its_reply() {
        let source = "[talk]\nframe = { until = \"\\n\" }\n[[talk.open]]\nexpect = \"hi\\n\"\n\
                      [[talk.turn]]\nsend = \"a\\n\"\nexpect = \"b\\n\"\n";
        let expected = [
            "after the connect",
            "after talk.open[0]",
            "in the middle of talk.turn[0]",
            "before the reply to talk.turn[0]",
            "after talk.turn[0]",
        ];
        assert_eq!(names(source), expected);
    }

    #[test]
    fn a_sample_has_both_ends() {
        let talk = crate::file::builtin("line").unwrap().talk;
        let (first, last) = ("after the connect", "after talk.turn[1]");
        let some: Vec<String> = sample(all(&talk), 3).iter().map(Place::name).collect();
        assert_eq!(some.len(), 3);
        assert_eq!((some[0].as_str(), some[2].as_str()), (first, last));
        assert_eq!(sample(all(&talk), 100).len(), 7);
    }
}
