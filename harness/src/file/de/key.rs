//! Keys: known, unknown, and of the format but not supported yet.

use std::ops::Range;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, SeqAccess, Visitor};

use super::super::Fault;
use super::wrong::Wrong;
use crate::text::did_you_mean;

/// A key and where it stands.
#[derive(Clone)]
pub(super) struct Key<'de> {
    pub(super) text: &'de str,
    pub(super) span: Range<usize>,
}

impl Key<'_> {
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.span.clone(), message)
    }
}

/// The fault of a key that `section` does not have.
pub(super) fn unknown_key(key: &Key<'_>, section: &str, known: &[&str]) -> Fault {
    if let Some((what, help)) = not_supported_yet(section, key.text) {
        let fault = key.fault(format!("not supported yet: `{}`, {what}", key.text));
        return fault.help(help);
    }
    let message = format!("unknown key `{}` in {section}", key.text.escape_debug());
    key.fault(message)
        .maybe_help(did_you_mean(key.text, known.iter().copied()))
}

/// What a key of the format says that this version does not read, and what to do instead.
fn not_supported_yet(section: &str, key: &str) -> Option<(&'static str, &'static str)> {
    let what = match (section, key) {
        ("[server]", "reload") => "a signal to reload the configuration",
        ("[promise]", "idle_timeout") => "when the server closes a silent connection",
        ("[promise]", "families") => "the address families the server listens on",
        ("[promise]", "port0") => "a server that chooses its port",
        ("[promise]", "reload") => "a reload that loses no request",
        (_, "tls") => {
            let help = "put a TLS terminator in front of the server and test the plain side";
            return Some(("TLS: the conversation is plain TCP", help));
        }
        _ => return None,
    };
    Some((what, "no check of this version uses it: remove the key"))
}

impl<'de> IntoDeserializer<'de, Wrong> for Key<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        let text = BorrowedStrDeserializer::new(self.text);
        visitor.visit_seq(Placed::new(self.span, text))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

/// A value with its place, as a sequence: start, end, value.
pub(super) struct Placed<D> {
    places: std::vec::IntoIter<usize>,
    value: Option<D>,
}

impl<D> Placed<D> {
    pub(super) fn new(span: Range<usize>, value: D) -> Self {
        Self {
            places: vec![span.start, span.end].into_iter(),
            value: Some(value),
        }
    }
}

impl<'de, D: Deserializer<'de, Error = Wrong>> SeqAccess<'de> for Placed<D> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        match (self.places.next(), &mut self.value) {
            (Some(place), _) => seed.deserialize(place.into_deserializer()).map(Some),
            (None, value) => value
                .take()
                .map(|value| seed.deserialize(value))
                .transpose(),
        }
    }
}
