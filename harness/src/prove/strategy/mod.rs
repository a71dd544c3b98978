//! Strategies for [proptest](https://docs.rs/proptest): what clients may do to a server, as values that shrink. Behind the feature
//! `proptest`.
//!
//! ```no_run
//! use proptest::prelude::*;
//! use tcprove::Prove;
//!
//! let prove = Prove::cmd(["target/debug/my-server", "{port}"]).talk("line");
//! let server = prove.start().unwrap();
//! proptest!(|(dialogue in prove.dialogues()?, case in prove.cases()?)| {
//!     server.holds(&dialogue)?;
//!     server.survives(&case)?;
//! });
//! # Ok::<(), tcprove::ProveError>(())
//! ```
//!
//! [`Prove::dialogues`] gives conversations that the server must hold, in pieces of any size, with any payload;
//! [`Prove::cases`] gives mutated ones, which it must survive. What fails shrinks to few turns, short payloads, few pieces and few
//! changes. [`payloads`] is for strategies of your own.

mod cases;
mod dialogue;

pub use dialogue::{Dialogue, Spoken};
use proptest::collection::vec;
use proptest::prelude::*;

use super::error::Result;
use super::{Prove, Server};
use crate::fuzz::Case;

/// Maximum bytes of a payload in [`Prove::dialogues`].
const PAYLOAD_BYTES_MAX: usize = 2048;
/// Maximum turns of a dialogue.
const TURNS_MAX: usize = 8;

/// Maximum characters of a payload that are chosen one by one.
const CHARACTERS_MAX: usize = 24;
/// Maximum characters that are repeated.
const UNIT_MAX: usize = 4;

/// Text of at most this many bytes, with characters of one to four bytes: a few of them, and perhaps one part many times, so that a long
/// text shrinks in few steps. It shrinks to nothing.
pub fn payloads(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    let character = prop_oneof![
        8 => proptest::char::range('a', 'z'),
        2 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\u{80}', '\u{7ff}'),
        1 => proptest::char::range('\u{4e00}', '\u{9fff}'),
        1 => proptest::char::range('\u{1f300}', '\u{1f5ff}'),
    ];
    let first = vec(character.clone(), 0..=CHARACTERS_MAX);
    let unit = vec(character, 1..=UNIT_MAX);
    let times = prop_oneof![2 => Just(0), 1 => 0..=bytes_max];
    (first, unit, times).prop_map(move |(first, unit, times)| {
        let repeated = std::iter::repeat_n(unit, times).flatten();
        let mut text = String::new();
        for character in first.into_iter().chain(repeated) {
            if text.len() + character.len_utf8() > bytes_max {
                break;
            }
            text.push(character);
        }
        text.into_bytes()
    })
}

impl Prove {
    /// Conversations that the server must hold: one connection with the turns of the description in a possible order, each with
    /// its own payload, and its request cut into pieces.
    ///
    /// # Errors
    /// The description is not valid.
    pub fn dialogues(&self) -> Result<impl Strategy<Value = Dialogue> + use<>> {
        let talk = self.prepared()?.subject.talk;
        let turns = vec(dialogue::spoken(&talk), 1..=TURNS_MAX);
        Ok(turns.prop_map(move |turns| Dialogue::of(&talk, turns)))
    }

    /// Mutated conversations, which the server must survive: bytes of their requests are changed, inserted, removed or repeated,
    /// requests are cut into pieces, and connections end in any way.
    ///
    /// # Errors
    /// The description is not valid.
    pub fn cases(&self) -> Result<impl Strategy<Value = Case> + use<>> {
        let talk = self.prepared()?.subject.talk;
        Ok(cases::of(talk))
    }
}

impl Server {
    /// Holds this conversation on a new connection, behind the opening.
    ///
    /// # Errors
    /// A reply is not the expected one, or there is none.
    pub fn holds(&self, dialogue: &Dialogue) -> Result {
        let mut client = self.client();
        client.open()?;
        for (exchange, spoken) in dialogue.exchanges() {
            client.hold(exchange, &spoken.payload, &dialogue.cuts(exchange, spoken))?;
        }
        Ok(())
    }
}
