//! Keys: known, unknown, and in the wrong section.

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
    let message = format!("unknown key `{}` in {section}", key.text.escape_debug());
    if (section, key.text) == ("[promise]", "reload") {
        let help = "`reload` belongs in [server]: it is the name of a signal, as in \"HUP\"";
        return key.fault(message).help(help);
    }
    if key.text == "tls" {
        let help =
            "`tls` belongs in [transport]: `tls = true`, or a table with ca, name, cert, key, alpn";
        return key.fault(message).help(help);
    }
    key.fault(message)
        .maybe_help(did_you_mean(key.text, known.iter().copied()))
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
