//! Numbers for people: three significant digits and a unit.

/// Microseconds: `87.1 µs`, `1.24 ms`, `2.10 s`.
pub(super) fn micros(value: f64) -> String {
    match value {
        _ if value < 1e3 => format!("{} µs", digits(value)),
        _ if value < 1e6 => format!("{} ms", digits(value / 1e3)),
        _ => format!("{} s", digits(value / 1e6)),
    }
}

/// A count or a rate: `950`, `12.3 k`, `1.20 M`.
pub(super) fn count(value: f64) -> String {
    match value {
        _ if value < 1e4 => format!("{value:.0}"),
        _ if value < 1e6 => format!("{} k", digits(value / 1e3)),
        _ => format!("{} M", digits(value / 1e6)),
    }
}

/// Bytes: `950 B`, `16 KiB`, `1.50 MiB`.
pub(super) fn bytes(value: f64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = value;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 {
        return format!("{value} {}", UNITS[unit]);
    }
    format!("{} {}", digits(value), UNITS[unit])
}

/// Three significant digits, at most two of them after the decimal point.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let times = [0.5, 87.12, 312.4, 1240.0, 2_100_000.0].map(micros);
        assert_eq!(times, ["0.50 µs", "87.1 µs", "312 µs", "1.24 ms", "2.10 s"]);
        assert_eq!(
            [950.0, 12_345.0, 1.2e6].map(count),
            ["950", "12.3 k", "1.20 M"]
        );
        assert_eq!(
            [950.0, 16384.0, 1.5 * 1024.0 * 1024.0].map(bytes),
            ["950 B", "16 KiB", "1.50 MiB"]
        );
    }
}
