//! Parsers for the values of arguments.

use std::time::Duration;

use crate::{Fault, fault};

/// A time such as `30s`, `250ms` or `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number and ms, s or m, such as 250ms".to_owned())?;
    let ms = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => return Err("expected a number and ms, s or m, such as 250ms".to_owned()),
    };
    ms.filter(|ms| *ms <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "a time may be at most one day".to_owned())
}

/// A duration, or `off`. (clap treats a bare `Option` field as an optional argument.)
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionalDuration(pub(super) Option<Duration>);

pub(super) fn duration_or_off(text: &str) -> Result<OptionalDuration, String> {
    if text == "off" {
        return Ok(OptionalDuration(None));
    }
    duration(text).map(|time| OptionalDuration(Some(time)))
}

pub(super) fn fault_by_name(name: &str) -> Result<&'static Fault, String> {
    fault::find(name).ok_or_else(|| "unknown fault: --list-faults prints all".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, duration_or_off};

    #[test]
    fn times_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in [
            "",
            "5",
            "s",
            "1h",
            "-1s",
            "99999999999999999999s",
            "999999m",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration_or_off("off").map(|time| time.0), Ok(None));
    }
}
