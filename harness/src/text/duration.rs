//! Durations as written in files and on the command line.

use std::time::Duration;

/// Maximum duration. A longer one is assumed to be a mistake.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads `"30s"`, `"500ms"`, `"1.5s"`, `"2m"`, `"250us"`, `"1h"`.
///
/// # Errors
/// A message if the unit is missing or unknown, there is no number, or the duration is zero or more
/// than a week.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = duration_or_zero(text)?;
    match duration.is_zero() {
        true => Err(out_of_range(text, "be positive and")),
        false => Ok(duration),
    }
}

/// Like [`duration`], but zero is one.
///
/// # Errors
/// A message if the unit is missing or unknown, there is no number, or the duration is more than a week.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .replace('_', "")
        .parse()
        .map_err(|_| format!("{text:?} is not a duration; write it as \"30s\" or \"500ms\""))?;
    let seconds = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" => {
            return Err(format!(
                "{text:?} has no unit; write \"{text}s\" or \"{text}ms\""
            ));
        }
        other => {
            return Err(format!(
                "unknown unit {other:?}; the units are µs (or us), ms, s, m, h"
            ));
        }
    };
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| out_of_range(text, "be"))
}

fn out_of_range(text: &str, must: &str) -> String {
    format!("{text:?} is out of range: it must {must} at most 168h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("250µs"), duration("250 us"));
        assert_eq!(duration("2m"), duration("120 s"));
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
        for bad in [
            "",
            "s",
            "30",
            "30 parsecs",
            "-1s",
            "1e9s",
            "0s",
            "999999999h",
            "1.2.3s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
