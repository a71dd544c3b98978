//! Comparisons in rounds: their options, and the summary of their ratios.

use std::time::Duration;

/// The command-line options of a bench that compares two programs in rounds.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Number of rounds.
    pub rounds: usize,
    /// Duration of each measurement.
    pub measured: Duration,
}

impl Options {
    /// Parses `--rounds N` and `--seconds S`; `self` holds the defaults. Cargo adds `--bench`, which
    /// is ignored.
    ///
    /// # Errors
    /// A flag is unknown, or its value is missing or invalid.
    pub fn parse(mut self, arguments: Vec<String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter().filter(|word| word != "--bench");
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{flag} needs a value"))?;
            let invalid = format!("invalid value for {flag}: {value}");
            match flag.as_str() {
                "--rounds" => self.rounds = value.parse().map_err(|_| invalid.clone())?,
                "--seconds" => {
                    self.measured = value
                        .parse()
                        .ok()
                        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                        .ok_or_else(|| invalid.clone())?;
                }
                _ => return Err(format!("unknown flag {flag}: use --rounds or --seconds")),
            }
            if self.rounds == 0 || self.measured.is_zero() {
                return Err(invalid);
            }
        }
        Ok(self)
    }
}

/// The median, minimum and maximum of ratios, such as `0.960 (0.941-0.982)`.
pub fn summary(ratios: &[f64]) -> String {
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    format!("{:.3} ({low:.3}-{high:.3})", median(ratios))
}

/// The median of at least one value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        f64::midpoint(sorted[half - 1], sorted[half])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Options = Options {
        rounds: 7,
        measured: Duration::from_secs(1),
    };

    fn parse(words: &[&str]) -> Result<Options, String> {
        DEFAULT.parse(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn options_replace_the_defaults() {
        let options = parse(&["--bench", "--seconds", "0.5"]).unwrap();
        assert_eq!(options.rounds, 7);
        assert_eq!(options.measured, Duration::from_millis(500));
    }

    #[test]
    fn invalid_options_are_refused() {
        for words in [
            &["--rounds"][..],
            &["--rounds", "0"],
            &["--rounds", "x"],
            &["--seconds", "-1"],
            &["--round", "1"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_summary_has_the_median_and_the_range() {
        assert_eq!(summary(&[1.0, 4.0, 2.0]), "2.000 (1.000-4.000)");
        assert_eq!(median(&[1.0, 4.0, 2.0, 3.0]), 2.5);
    }
}
