//! Numbers for people: three significant digits and a suitable unit.

use crate::data::Unit;

const PER_SECOND: &[(f64, &str)] = &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s"), (1e9, "G/s")];
const MICROS: &[(f64, &str)] = &[(1e-3, "ns"), (1.0, "µs"), (1e3, "ms"), (1e6, "s")];
const PLAIN: &[(f64, &str)] = &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")];
const KIB: f64 = 1024.0;
const BYTES: &[(f64, &str)] = &[
    (1.0, "B"),
    (KIB, "KiB"),
    (KIB * KIB, "MiB"),
    (KIB * KIB * KIB, "GiB"),
];
const BYTES_PER_SECOND: &[(f64, &str)] = &[
    (1.0, "B/s"),
    (KIB, "KiB/s"),
    (KIB * KIB, "MiB/s"),
    (KIB * KIB * KIB, "GiB/s"),
];

/// The factors and suffixes of a unit, ascending.
fn steps(unit: Unit) -> &'static [(f64, &'static str)] {
    match unit {
        Unit::PerSecond => PER_SECOND,
        Unit::BytesPerSecond => BYTES_PER_SECOND,
        Unit::Micros => MICROS,
        Unit::Bytes => BYTES,
        Unit::Count => PLAIN,
    }
}

/// The largest step that leaves at least 1 before the decimal point.
fn step(unit: Unit, value: f64) -> (f64, &'static str) {
    let steps = steps(unit);
    // 999.6 rounds up to the next step; 1024 must not round down from its own.
    let size = rounded(value).abs().max(value.abs()) * (1.0 + 1e-9);
    let fitting = steps.iter().rev().find(|(factor, _)| *factor <= size);
    // Zero is shown in the unit itself, not in its smallest part.
    let whole = steps.iter().find(|(factor, _)| *factor >= 1.0);
    let smallest = if size > 0.0 { steps.first() } else { whole };
    *fitting.or(smallest).unwrap_or(&(1.0, ""))
}

/// `12.3 k/s`, `1.24 ms`, `16 KiB`.
pub(super) fn figure(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let (factor, suffix) = step(unit, value);
    let digits = significant(value / factor);
    // Sizes are mostly whole numbers; `16.0 KiB` would look like a measurement.
    let digits = if unit == Unit::Bytes {
        trimmed(&digits)
    } else {
        &digits
    };
    joined(digits, suffix)
}

/// `12.1 – 12.5 k/s`: both ends in the unit of the upper one.
pub(super) fn interval(low: f64, high: f64, unit: Unit) -> String {
    if !low.is_finite() || !high.is_finite() {
        return "–".to_owned();
    }
    let (factor, suffix) = step(unit, high);
    let ends = format!(
        "{} – {}",
        significant(low / factor),
        significant(high / factor)
    );
    joined(&ends, suffix)
}

/// A tick of an axis, which is a round number: `100 k/s`, `1.5 ms`.
pub(super) fn tick(value: f64, unit: Unit) -> String {
    let (factor, suffix) = step(unit, value);
    joined(trimmed(&significant(value / factor)), suffix)
}

/// `87 %`, `3.4 %`.
pub(super) fn share(part: f64) -> String {
    let percent = part * 100.0;
    if percent != 0.0 && percent.abs() < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A count with thousands separated by non-breaking thin spaces.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Parses a size or a plain number: `16384`, `16KiB`, `64k`, `1M`.
pub(super) fn parsed(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let factor = match suffix.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => KIB,
        "m" | "mib" => KIB * KIB,
        "g" | "gib" => KIB * KIB * KIB,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    Some(number * factor).filter(|value| value.is_finite())
}

fn joined(digits: &str, suffix: &str) -> String {
    // A non-breaking space keeps the unit on the line of its number.
    match suffix {
        "" => digits.to_owned(),
        _ => format!("{digits}\u{a0}{suffix}"),
    }
}

/// Three significant digits; the integer part is never cut.
fn significant(value: f64) -> String {
    let value_rounded = rounded(value);
    if value_rounded == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value_rounded.abs().log10() + 1e-9;
    let decimals = (2.0 - magnitude.floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10f64.powf(value.abs().log10().floor() - 2.0);
    (value / unit).round() * unit
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(['\u{a0}', '\u{202f}'], " ")
    }

    #[test]
    fn three_significant_digits_and_a_fitting_unit() {
        let of = |value, unit| plain(&figure(value, unit));
        assert_eq!(of(12_345.0, Unit::PerSecond), "12.3 k/s");
        assert_eq!(of(123.4, Unit::PerSecond), "123 /s");
        assert_eq!(of(999.6, Unit::PerSecond), "1.00 k/s");
        assert_eq!(of(1_236.0, Unit::Micros), "1.24 ms");
        assert_eq!(of(0.85, Unit::Micros), "850 ns");
        assert_eq!(of(0.0, Unit::Micros), "0 µs");
        assert_eq!(of(3_200_000.0, Unit::Micros), "3.20 s");
        assert_eq!(of(16_384.0, Unit::Bytes), "16 KiB");
        assert_eq!(of(2_304.0, Unit::Bytes), "2.25 KiB");
        assert_eq!(of(64.0, Unit::Bytes), "64 B");
        assert_eq!(of(1_024.0, Unit::Bytes), "1 KiB");
        assert_eq!(of(f64::NAN, Unit::Bytes), "–");
    }

    #[test]
    fn both_ends_of_an_interval_have_one_unit() {
        let text = interval(12_100.0, 12_500.0, Unit::PerSecond);
        assert_eq!(plain(&text), "12.1 – 12.5 k/s");
        let text = interval(980.0, 1_020.0, Unit::Micros);
        assert_eq!(plain(&text), "0.980 – 1.02 ms");
    }

    #[test]
    fn ticks_and_counts_are_short() {
        assert_eq!(plain(&tick(100_000.0, Unit::PerSecond)), "100 k/s");
        assert_eq!(plain(&tick(1_500.0, Unit::Micros)), "1.5 ms");
        assert_eq!(tick(0.0, Unit::Count), "0");
        assert_eq!(plain(&count(1_234_567)), "1 234 567");
        assert_eq!(count(123), "123");
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        assert_eq!(parsed("64"), Some(64.0));
        assert_eq!(parsed("16KiB"), Some(16_384.0));
        assert_eq!(parsed("2 M"), Some(2_097_152.0));
        assert_eq!(parsed("0"), Some(0.0));
        assert_eq!(parsed("epoll"), None);
        assert_eq!(parsed(""), None);
        assert_eq!(parsed("1.2.3"), None);
    }
}
