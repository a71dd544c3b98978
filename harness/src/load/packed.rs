//! Histograms as a report stores them to be merged: `HdrHistogram` V2, compressed, in base64. Nothing is lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer as V2Deserializer, V2DeflateSerializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::histogram::{Times, times};

/// Serializes a histogram.
///
/// # Errors
/// The serializer fails.
pub(super) fn serialize<S: Serializer>(times: &Times, serializer: S) -> Result<S::Ok, S::Error> {
    packed(times)
        .map_err(ser::Error::custom)?
        .serialize(serializer)
}

/// Reads a histogram.
///
/// # Errors
/// The text is none, or one with other bounds than those of this version.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
    unpacked(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn packed(times: &Times) -> Result<String, String> {
    let mut bytes = Vec::new();
    use hdrhistogram::serialization::Serializer as _;
    V2DeflateSerializer::new()
        .serialize(times, &mut bytes)
        .map_err(|error| format!("a histogram cannot be packed: {error}"))?;
    Ok(STANDARD.encode(bytes))
}

fn unpacked(text: &str) -> Result<Times, String> {
    let refused = |why: String| format!("a histogram cannot be read: {why}");
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| refused(error.to_string()))?;
    let read: Times = V2Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| refused(error.to_string()))?;
    let bounds = |times: &Times| (times.low(), times.high(), times.sigfig());
    if bounds(&read) == bounds(&times()) {
        Ok(read)
    } else {
        Err(refused("it has other bounds".into()))
    }
}

/// As the module, for a histogram that may be absent.
pub(crate) mod if_any {
    use super::{
        Deserialize, Deserializer, Serialize, Serializer, Times, de, packed, ser, unpacked,
    };

    /// Serializes a histogram, or null.
    pub(crate) fn serialize<S: Serializer>(
        times: &Option<Times>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let packed = times.as_ref().map(packed).transpose();
        packed.map_err(ser::Error::custom)?.serialize(serializer)
    }

    /// Reads a histogram, or null.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Times>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| unpacked(&text))
            .transpose()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_the_same_afterwards() {
        let mut written = times();
        (1..=5000).for_each(|n| written.saturating_record(n * n * 137));
        let text = packed(&written).unwrap();
        assert_eq!(unpacked(&text).unwrap(), written);
        assert_eq!(unpacked(&packed(&times()).unwrap()).unwrap(), times());
    }

    #[test]
    fn what_is_no_histogram_of_this_version_is_refused() {
        assert!(unpacked("?").is_err() && unpacked("AAAA").is_err());
        let other = Times::new_with_bounds(1, 1000, 2).unwrap();
        assert!(
            unpacked(&packed(&other).unwrap())
                .unwrap_err()
                .contains("other bounds")
        );
    }
}
