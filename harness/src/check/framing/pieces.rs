//! Requests in pieces: each piece is sent once the server has read the one before.

use crate::check::{Ascribe, Checked, Cx};
use crate::session::Session;
use crate::talk::{Exchange, Turn, Walk};

/// Maximum number of pieces of a request.
const PIECES_MAX: usize = 2_000;

/// Where to cut a request of `length` bytes into single bytes. The middle of a very long one stays in one piece.
pub(super) fn everywhere(length: usize) -> Vec<usize> {
    let edge = PIECES_MAX / 2;
    let is_cut = |cut: &usize| *cut <= edge || length - cut <= edge;
    (1..length).filter(is_cut).collect()
}

/// Sends a request in pieces, cut at these offsets, and reads the reply. With `may_end`, the server may end the connection before it
/// has all pieces, and its reply counts all the same.
pub(super) async fn exchange(
    cx: &Cx,
    client: &mut Session,
    turn: &Turn,
    cuts: &[usize],
    may_end: bool,
) -> Checked {
    let mut rest = &turn.request[..];
    for &cut in cuts {
        let (piece, after) = rest.split_at(cut - (turn.request.len() - rest.len()));
        client.send(piece).await?;
        client.until_read().await?;
        cx.proved(format!(
            "the server had read the first {cut} bytes of {} before the next was sent",
            turn.label
        ));
        rest = after;
        if may_end && client.was_ended_by_server() {
            rest = &[];
            break;
        }
    }
    if !rest.is_empty() {
        client.send(rest).await?;
    }
    client.expect(turn).await?;
    Ok(())
}

/// Goes to turns of the conversation, on a new connection where the last one cannot carry the next.
pub(super) struct Visitor<'a> {
    cx: &'a Cx,
    client: Option<Session>,
    walk: Walk,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(cx: &'a Cx) -> Self {
        Self {
            cx,
            client: None,
            walk: Walk::default(),
        }
    }

    /// Says what has to be said before turn `index`, then that turn, cut at offsets that `cuts` chooses for the length of its
    /// request. Returns that length, in bytes.
    ///
    /// A turn that ends the connection may be answered before all of it has arrived: some servers refuse a request as soon as
    /// it cannot become a valid one.
    pub(super) async fn visit(
        &mut self,
        index: usize,
        cuts: impl Fn(usize) -> Vec<usize>,
    ) -> Checked<usize> {
        let talk = self.cx.talk();
        // A connection that cannot carry the turn is closed first: a server may serve one client at a time.
        let held = self.client.take().zip(self.walk.steps_to(talk, index));
        let (mut client, steps) = match held {
            Some(held) => held,
            None => self.begin(index).await?,
        };
        let mut length = 0;
        for step in steps {
            let asked = &talk.turns[step];
            let turn = client.voice().plain(asked)?;
            if step == index {
                length = turn.request.len();
                let cuts = cuts(length);
                self.cx.about(asked);
                let answered = exchange(self.cx, &mut client, &turn, &cuts, turn.closes).await;
                answered.at(|| place(asked, &cuts, length))?;
            } else {
                let answered = client.exchange(&turn).await;
                answered.at(|| format!("{}, in one piece", asked.label))?;
            }
            self.walk.said(talk, step);
        }
        self.client = Some(client);
        Ok(length)
    }

    /// A new connection, and the turns it has to carry so that it has carried `index`: the way that the rehearsal has gone.
    async fn begin(&mut self, index: usize) -> Checked<(Session, Vec<usize>)> {
        self.walk = Walk::default();
        let mut client = self.cx.connect().await?;
        client.opening_only().await?;
        let mut steps = self.cx.talk().way_to(index);
        steps.push(index);
        Ok((client, steps))
    }
}

/// Which request was cut, and where.
fn place(exchange: &Exchange, cuts: &[usize], length: usize) -> String {
    match cuts {
        [cut] => format!("{}, cut after byte {cut} of {length}", exchange.label),
        _ => format!("{}, in {} pieces", exchange.label, cuts.len() + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_cut_into_bytes_and_long_ones_at_their_ends() {
        assert_eq!(everywhere(4), [1, 2, 3]);
        assert_eq!(everywhere(1), Vec::<usize>::new());
        let long = everywhere(1_000_000);
        assert!(long.len() <= PIECES_MAX && long.contains(&1) && long.contains(&999_999));
    }
}
