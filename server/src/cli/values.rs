//! Values of arguments that std cannot parse.

use std::time::Duration;

use crate::{Fault, fault};

/// A time such as `30s`, `250ms` or `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "a time is a number and ms, s or m".to_owned())?;
    let ms = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => return Err("a time is a number and ms, s or m, such as 250ms".to_owned()),
    };
    ms.filter(|ms| *ms <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "a time of more than a day".to_owned())
}

/// A time, or `off`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrOff(pub(super) Option<Duration>);

/// Parses a time or `off`.
pub(super) fn duration_or_off(text: &str) -> Result<OrOff, String> {
    if text == "off" {
        return Ok(OrOff(None));
    }
    duration(text).map(|time| OrOff(Some(time)))
}

/// A planted fault by its name.
pub(super) fn known_fault(name: &str) -> Result<&'static Fault, String> {
    fault::find(name).ok_or_else(|| "no such fault; --list-faults prints all".to_owned())
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
