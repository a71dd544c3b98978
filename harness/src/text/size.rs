//! Sizes in bytes as written on the command line, and as displayed.

/// The units, largest first. `k` alone is rejected because it may mean 1,000 or 1,024.
const UNITS: [(&str, u64); 3] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads `64`, `64B`, `16KiB`, `1MiB`.
///
/// # Errors
/// A message that names the problem.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" => 1,
        unit => UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)
            .ok_or_else(|| {
                format!("`{text}` is not a size: write bytes, or KiB or MiB, as in 64, 16KiB, 1MiB")
            })?,
    };
    let number: u64 = number.parse().map_err(|_| {
        format!("`{text}` is not a size: write a whole number, as in 64, 16KiB, 1MiB")
    })?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{text}` is too large"))
}

/// `64 B`, `16 KiB`, `1 MiB`: in the largest unit that gives a whole number.
pub(crate) fn show(bytes: u64) -> String {
    let fits = |factor: u64| bytes >= factor && bytes.is_multiple_of(factor);
    UNITS.iter().find(|(_, factor)| fits(*factor)).map_or_else(
        || format!("{bytes} B"),
        |(name, factor)| format!("{} {name}", bytes / factor),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_that_mean_one_thing() {
        for (text, bytes) in [
            ("0", 0),
            ("64", 64),
            ("64B", 64),
            ("16KiB", 16384),
            (" 1 MiB", 1 << 20),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "KiB",
            "4k",
            "4KB",
            "4kib",
            "-1",
            "1.5KiB",
            "1 KiB B",
            "99999999999999999999",
            "99999999999999999MiB",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_is_shown_in_whole_numbers() {
        for (bytes, text) in [
            (0, "0 B"),
            (64, "64 B"),
            (1536, "1536 B"),
            (16384, "16 KiB"),
            (3 << 20, "3 MiB"),
        ] {
            assert_eq!(show(bytes), text);
        }
    }
}
