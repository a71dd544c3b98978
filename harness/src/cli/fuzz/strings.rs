//! Extracts strings from a file, like strings(1).

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::target::usage;
use crate::report::RunError;

/// Minimum bytes of a string: shorter ones are chance.
const BYTES_MIN: usize = 4;
/// Maximum bytes of a string: longer ones are sentences.
const BYTES_MAX: usize = 40;
/// Maximum strings of the dictionary.
const WORDS_MAX: usize = 4096;
/// Maximum bytes to read from a file.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The distinct strings of all files.
pub(super) fn of_files(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, RunError> {
    let mut words = BTreeSet::new();
    for path in paths {
        let bytes = read(path).map_err(|error| {
            usage(format!(
                "--strings {} cannot be read: {error}",
                path.display()
            ))
        })?;
        words.extend(of(&bytes));
    }
    Ok(spread(words.into_iter().collect()))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn of(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    bytes
        .split(|byte| !(byte.is_ascii_graphic() || *byte == b' '))
        .filter(|word| (BYTES_MIN..=BYTES_MAX).contains(&word.len()))
        .map(<[u8]>::to_vec)
}

/// An evenly spaced selection if there are too many.
fn spread(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let step = words.len().div_ceil(WORDS_MAX).max(1);
    words.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_other_bytes() {
        let words: Vec<Vec<u8>> = of(b"\x7fELF\0SUBSCRIBE\0\x01ab\0GET key\n").collect();
        assert_eq!(words, [b"SUBSCRIBE".to_vec(), b"GET key".to_vec()]);
        assert_eq!(spread(vec![vec![0]; 10_000]).len(), 3334);
    }
}
