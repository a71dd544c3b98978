//! Numbers that may not be finite, in JSON without loss, for `#[serde(with = ...)]`: JSON has no infinity and no NaN, so these
//! are strings.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number as it is written.
#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(untagged)]
#[schemars(rename = "ExactNumber")]
pub(crate) enum Written {
    /// A finite number.
    Number(f64),
    /// `inf`, `-inf` or `NaN`.
    Text(String),
}

impl From<f64> for Written {
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Text(number.to_string())
        }
    }
}

impl Written {
    fn read<E: de::Error>(self) -> Result<f64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(E::custom),
        }
    }
}

/// Serializes a number.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
pub(crate) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Written::from(*number).serialize(serializer)
}

/// Reads a number.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Written::deserialize(deserializer)?.read()
}

/// As the module, for several numbers.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Serializer, Written};

    /// Serializes numbers.
    pub(crate) fn serialize<S: Serializer>(
        numbers: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().copied().map(Written::from))
    }

    /// Reads numbers.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>, L: TryFrom<Vec<f64>>>(
        deserializer: D,
    ) -> Result<L, D::Error> {
        let written = Vec::<Written>::deserialize(deserializer)?;
        let numbers: Result<Vec<f64>, _> = written.into_iter().map(Written::read).collect();
        let wrong = |_| serde::de::Error::custom("another number of figures");
        L::try_from(numbers?).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Figures {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super::list")]
        two: [f64; 2],
        #[serde(with = "super::list")]
        many: Vec<f64>,
    }

    #[test]
    fn what_is_not_finite_comes_back() {
        let figures = Figures {
            one: f64::NEG_INFINITY,
            two: [0.1, f64::NAN],
            many: vec![1.5, f64::INFINITY],
        };
        let text = serde_json::to_string(&figures).unwrap();
        assert_eq!(
            text,
            r#"{"one":"-inf","two":[0.1,"NaN"],"many":[1.5,"inf"]}"#
        );
        let read: Figures = serde_json::from_str(&text).unwrap();
        assert_eq!(read.one, f64::NEG_INFINITY);
        assert!(read.two[0] == 0.1 && read.two[1].is_nan());
        assert_eq!(read.many, figures.many);
        assert!(serde_json::from_str::<Figures>(&text.replace("0.1,", "")).is_err());
        assert!(serde_json::from_str::<Figures>(&text.replace("-inf", "x")).is_err());
    }
}
