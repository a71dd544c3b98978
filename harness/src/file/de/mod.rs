//! From the TOML tree to the types of the file: a serde deserializer whose errors are faults with a place.
//!
//! The types of the file derive `Deserialize` and `JsonSchema`, so that keys, types, documentation and schema
//! are defined once. Where serde's data model is narrower than the file, this is how it is used:
//!
//! - An enum is chosen by what is written. A word is the unit variant of that name. A table is the variant
//!   that is one of its keys; a struct variant takes the other keys too: `{ repeat = "A", n = 9 }`. If the
//!   enum has a variant `Text`, every string is that one; if it has a variant `Exchange`, every table is that
//!   one that has the key of no other variant.
//! - [`At`] asks for a tuple of three: the start of the value, its end, and the value.
//! - [`OneOrMore`], [`BothWays`], [`Tables`] and [`Scalar`] are known by their names.
//!
//! [`At`]: super::value::At
//! [`OneOrMore`]: super::value::OneOrMore
//! [`BothWays`]: super::value::BothWays
//! [`Tables`]: super::value::Tables
//! [`Scalar`]: super::value::Scalar

mod choice;
mod key;
mod wrong;

use std::ops::Range;

use choice::Choice;
use key::{Key, Placed, unknown_key};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, Expected, IntoDeserializer, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use wrong::Wrong;

use super::{Fault, Read, schema};

/// Reads the whole tree as a `T`.
pub(super) fn read<'de, T: Deserialize<'de>>(tree: &'de Spanned<DeValue<'de>>) -> Read<T> {
    let root = Node {
        value: tree.get_ref(),
        span: 0..0,
        path: String::new(),
        is_entry: false,
        list: List::Plain,
    };
    T::deserialize(root.clone()).map_err(|wrong| root.fault_of(wrong))
}

/// A value of the tree, and what messages call it.
#[derive(Clone)]
struct Node<'de> {
    value: &'de DeValue<'de>,
    span: Range<usize>,
    /// The keys that lead to it, with dots between them.
    path: String,
    /// Whether it is one of a list.
    is_entry: bool,
    list: List,
}

/// How a list may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    /// As a list.
    Plain,
    /// As `[[tables]]`.
    OfTables,
    /// A single value is a list of one.
    OrOne,
}

impl<'de> Node<'de> {
    fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// What a value is called in messages.
    fn name(&self) -> String {
        match (self.path.is_empty(), self.is_entry) {
            (true, _) => "the file".to_owned(),
            (false, true) => format!("an entry of `{}`", self.key()),
            (false, false) => format!("`{}`", self.key()),
        }
    }

    /// What a table of its own is called in messages.
    fn section(&self) -> String {
        match (self.path.is_empty(), self.is_entry) {
            (true, _) => "the file".to_owned(),
            (false, true) => format!("[[{}]]", self.path),
            (false, false) => format!("[{}]", self.path),
        }
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.span.clone(), message)
    }

    fn must_be(&self, name: &str, wanted: &str) -> Fault {
        self.fault(format!("{name} must be {wanted}, not {}", kind(self.value)))
    }

    fn fault_of(&self, wrong: Wrong) -> Fault {
        match wrong {
            Wrong::At(fault) => fault,
            Wrong::MustBe(wanted) => self.fault(format!("{} must be {wanted}", self.name())),
            Wrong::Why(why) => self.fault(format!("{}: {why}", self.name())),
            Wrong::Missing(key) => self.fault(format!("{} has no `{key}`", self.section())),
        }
    }

    fn place(&self, wrong: Wrong) -> Wrong {
        Wrong::At(self.fault_of(wrong))
    }

    /// Its keys and values in the order of the file, if it is a table.
    fn entries(&self) -> Option<Vec<(Key<'de>, Node<'de>)>> {
        let DeValue::Table(table) = self.value else {
            return None;
        };
        let mut entries: Vec<_> = DeTable::iter(table)
            .map(|(key, value)| {
                let key = Key {
                    text: key.get_ref(),
                    span: key.span(),
                };
                let node = self.below(key.text, value);
                (key, node)
            })
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        Some(entries)
    }

    fn below(&self, key: &str, value: &'de Spanned<DeValue<'de>>) -> Node<'de> {
        let key = key.escape_debug();
        Node {
            value: value.get_ref(),
            span: value.span(),
            path: if self.path.is_empty() {
                key.to_string()
            } else {
                format!("{}.{key}", self.path)
            },
            is_entry: false,
            list: List::Plain,
        }
    }

    fn as_list(&self, list: List) -> Self {
        Self {
            list,
            ..self.clone()
        }
    }

    /// It is not a list where one is wanted.
    fn no_list(&self) -> Fault {
        let fault = match self.list {
            List::OfTables => self.must_be(&self.name(), "a list of tables"),
            _ => self.must_be(&self.name(), "a list"),
        };
        match (self.value, self.list) {
            (DeValue::Table(_), List::OfTables) => {
                fault.help(format!("write [[{}]] with two brackets", self.path))
            }
            (DeValue::String(text), List::Plain) => fault.help(format!("write [{text:?}]")),
            _ => fault,
        }
    }

    /// The text of a string, a number, a boolean or a date.
    fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => {
                // `0x10` is written for people; a server gets 16.
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                Some(decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string()))
            }
            DeValue::Float(number) => Some(number.as_str().replace('_', "")),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            DeValue::Datetime(date) => Some(date.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            DeValue::Integer(_) => self.deserialize_i128(visitor),
            DeValue::Boolean(_) => self.deserialize_bool(visitor),
            DeValue::Array(_) => self.deserialize_seq(visitor),
            DeValue::Table(_) => self.deserialize_map(visitor),
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            _ => Err(Wrong::At(self.must_be(&self.name(), "true or false"))),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let DeValue::Integer(number) = self.value else {
            return Err(Wrong::At(self.must_be(&self.name(), "an integer")));
        };
        let read = i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX);
        visitor.visit_i128(read).map_err(|wrong| self.place(wrong))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            DeValue::String(text) => visitor.visit_str(text).map_err(|wrong| self.place(wrong)),
            _ => Err(Wrong::At(self.must_be(&self.name(), "a string"))),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match name {
            "Scalar" => match self.scalar() {
                Some(text) => visitor.visit_str(&text),
                None => Err(Wrong::At(self.must_be(&self.name(), &wanted(&visitor)))),
            },
            "OneOrMore" => visitor.visit_newtype_struct(self.as_list(List::OrOne)),
            "Tables" => visitor.visit_newtype_struct(self.as_list(List::OfTables)),
            _ => visitor.visit_newtype_struct(self.clone()),
        }
        .map_err(|wrong| self.place(wrong))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let entries: Vec<Node<'de>> = match (self.value, self.list) {
            (DeValue::Array(values), list) => {
                let entry = |value: &'de Spanned<DeValue<'de>>| Node {
                    value: value.get_ref(),
                    span: value.span(),
                    is_entry: list != List::OrOne,
                    ..self.as_list(List::Plain)
                };
                values.iter().map(entry).collect()
            }
            (_, List::OrOne) => vec![self.as_list(List::Plain)],
            _ => return Err(Wrong::At(self.no_list())),
        };
        visitor.visit_seq(SeqDeserializer::new(entries.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(Placed::new(self.span.clone(), self))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.entries() {
            Some(entries) => visitor.visit_map(MapDeserializer::new(entries.into_iter())),
            None => Err(Wrong::At(self.must_be(&self.name(), "a table"))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let is_field = |key: &Key<'de>| fields.contains(&key.text);
        let entries = self.entries();
        let both_ways = name == "BothWays";
        if both_ways && !entries.iter().flatten().any(|(key, _)| is_field(key)) {
            let each = fields.iter().map(|field| (*field, self.clone()));
            return visitor.visit_map(MapDeserializer::new(each));
        }
        let section = if both_ways {
            self.name()
        } else {
            self.section()
        };
        let Some(entries) = entries else {
            return Err(Wrong::At(self.must_be(&section, "a table")));
        };
        if let Some((key, _)) = entries.iter().find(|(key, _)| !is_field(key)) {
            return Err(Wrong::At(unknown_key(key, &section, fields)));
        }
        visitor
            .visit_map(MapDeserializer::new(entries.into_iter()))
            .map_err(|wrong| match wrong {
                Wrong::Missing(key) => {
                    Wrong::At(self.fault_of(wrong).maybe_help(schema::about(name, key)))
                }
                wrong => self.place(wrong),
            })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let choice = Choice::of(&self, name, variants, &wanted(&visitor)).map_err(Wrong::At)?;
        visitor
            .visit_enum(choice)
            .map_err(|wrong| self.place(wrong))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple_struct
        identifier ignored_any
    }
}

/// What a visitor says that it wants.
fn wanted(visitor: &dyn Expected) -> String {
    visitor.to_string()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
