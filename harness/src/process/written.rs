//! What a server has written to files, as far as they are open.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The size of each open regular file, by device and inode.
pub(crate) type FileSizes = BTreeMap<(u64, u64), u64>;

/// The regular files that these processes have open. Their size is what is stored: a file with holes is no larger than its
/// blocks.
pub(crate) fn open_files(pids: &[u32]) -> FileSizes {
    /// Unit of `st_blocks`, in bytes.
    const BLOCK: u64 = 512;
    let mut sizes = FileSizes::new();
    for pid in pids {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            // Follows the link, also to a file that has been removed.
            let Ok(file) = fs::metadata(descriptor.path()) else {
                continue;
            };
            if file.is_file() {
                let size = file.len().min(file.blocks() * BLOCK);
                sizes.insert((file.dev(), file.ino()), size);
            }
        }
    }
    sizes
}

/// Bytes by which files have grown. A file that was not open before counts as new.
pub(crate) fn written_since(before: &FileSizes, after: &FileSizes) -> u64 {
    let grown = |(file, size): (&(u64, u64), &u64)| {
        size.saturating_sub(before.get(file).copied().unwrap_or(0))
    };
    after.iter().map(grown).sum()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn sees_what_this_process_writes() {
        let us = [std::process::id()];
        let mut file = tempfile::tempfile().unwrap();
        let before = open_files(&us);
        file.write_all(&[b'x'; 100_000]).unwrap();
        file.sync_all().unwrap();
        assert!(written_since(&before, &open_files(&us)) >= 100_000);
        file.set_len(1 << 40).unwrap();
        let after = written_since(&before, &open_files(&us));
        assert!(after < 1 << 30, "a hole: {after}");
    }
}
