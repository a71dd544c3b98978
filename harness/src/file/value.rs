//! The kinds of values that the file's tables are made of, for serde and for the schema.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::{Fault, Read};
use crate::text::template::TemplateError;

/// A value and where it stands in the file, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A string and where it stands.
pub(super) type Text = At<String>;

impl<T> At<T> {
    /// A fault at this value.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.start..self.end, message)
    }

    /// The place alone.
    pub(super) fn place(&self) -> At<()> {
        At {
            value: (),
            start: self.start,
            end: self.end,
        }
    }

    /// The place and the value.
    pub(super) fn split(self) -> (At<()>, T) {
        let Self { value, start, end } = self;
        (
            At {
                value: (),
                start,
                end,
            },
            value,
        )
    }
}

impl Text {
    /// A fault of this template: points at the placeholder.
    pub(super) fn bad_template(&self, error: TemplateError) -> Fault {
        let fault = self.fault(error.message).fragment(error.fragment);
        fault.maybe_help(error.help)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (start, end, value) = Deserialize::deserialize(deserializer)?;
        Ok(Self { value, start, end })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The schema of a type that stands wherever the type is used.
macro_rules! inline_schema {
    ($type:ty, [$($generics:tt)*], $schema:expr) => {
        impl<$($generics)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_id() -> Cow<'static, str> {
                std::any::type_name::<Self>().into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

/// A list of tables: `[[name]]`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Tables<T>(pub(super) Vec<At<T>>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A list, or one value that stands for a list of one.
#[derive(Debug, serde::Deserialize)]
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

inline_schema!(OneOrMore<T>, [T: JsonSchema], |generator| {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
});

/// A value for each way, or one value for both.
#[derive(Debug, serde::Deserialize)]
pub(super) struct BothWays<T> {
    pub(super) request: Option<T>,
    pub(super) reply: Option<T>,
}

inline_schema!(BothWays<T>, [T: JsonSchema], |generator| {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one, {
        "type": "object",
        "properties": { "request": one, "reply": one },
        "additionalProperties": false,
    }] })
});

/// An integer from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Int<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Int<MIN, MAX> {
    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Visitor<'_> for Int<MIN, MAX> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MIN} to {MAX}")
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Self, E> {
        match u64::try_from(number) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => {
                let number = number.to_string();
                Err(E::invalid_value(Unexpected::Other(&number), &self))
            }
        }
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Int<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i128(Self(MIN))
    }
}

inline_schema!(Int<MIN, MAX>, [const MIN: u64, const MAX: u64], |_| json_schema!({
    "type": "integer", "minimum": MIN, "maximum": MAX,
}));

/// A string, or the text of a number, a boolean or a date.
#[derive(Debug, Clone)]
pub(super) struct Scalar(pub(super) String);

impl Visitor<'_> for Scalar {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct("Scalar", Self(String::new()))
    }
}

inline_schema!(Scalar, [], |_| json_schema!({
    "type": ["string", "integer", "number", "boolean"],
}));

impl At<Scalar> {
    /// What `parse` makes of the text that is the value of `key`.
    pub(super) fn parse<T>(&self, key: &str, parse: fn(&str) -> Result<T, String>) -> Read<T> {
        parse(&self.value.0).map_err(|why| self.fault(format!("`{key}`: {why}")))
    }
}
